"""Seeds: pure, distinct, and the same for ever."""

from __future__ import annotations

import itertools

import torch

from speechkd.training.seeds import derive_seed


def test_the_same_place_has_the_same_seed() -> None:
    assert derive_seed(1, epoch=2, step=3, rank=4, purpose="order") == derive_seed(
        1, epoch=2, step=3, rank=4, purpose="order"
    )
    # The first 63 bits of sha256("1234/0/0/0/weights"): a run can be repeated with any later version.
    assert derive_seed(1234, purpose="weights") == 0x618E_5BAE_9DF3_2B85 >> 1


def test_every_place_has_its_own_seed() -> None:
    places = itertools.product(range(5), range(5), range(40), range(3), ("order", "dropout"))
    seeds = [derive_seed(run, epoch=e, step=s, rank=r, purpose=p) for run, e, s, r, p in places]
    assert len(set(seeds)) == len(seeds) == 5 * 5 * 40 * 3 * 2


def test_digits_do_not_run_together() -> None:
    """Epoch 1, step 11 is not epoch 11, step 1."""
    assert derive_seed(0, epoch=1, step=11, purpose="x") != derive_seed(0, epoch=11, step=1, purpose="x")
    assert derive_seed(0, step=12, purpose="x") != derive_seed(0, step=1, rank=2, purpose="x")


def test_torch_takes_them() -> None:
    for step in range(200):
        seed = derive_seed(0, step=step, purpose="dropout")
        assert 0 <= seed < 2**63
        torch.manual_seed(seed)


def test_neighbouring_steps_draw_differently() -> None:
    draws = []
    for step in range(20):
        torch.manual_seed(derive_seed(0, step=step, purpose="dropout"))
        draws.append(torch.rand(50))
    correlations = torch.corrcoef(torch.stack(draws)) - torch.eye(20)
    assert correlations.abs().max() < 0.7
