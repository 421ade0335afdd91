"""A stage that set torch's threads changed the sums of the stages after it, but only when they ran in one process."""

from __future__ import annotations

from speechkd.runner.pool import own_threads, own_threads_inside


def test_a_stage_does_not_inherit_threads() -> None:
    import torch

    before = torch.get_num_threads()
    try:
        torch.set_num_threads(own_threads() + 2)
        with own_threads_inside():
            assert torch.get_num_threads() == own_threads()
            torch.set_num_threads(own_threads() + 3)
        assert torch.get_num_threads() == own_threads()
    finally:
        torch.set_num_threads(before)
