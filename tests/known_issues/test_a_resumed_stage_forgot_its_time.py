"""A stage that was interrupted and went on recorded only its last attempt's time: trainings looked too fast."""

from __future__ import annotations

import pytest

from speechkd.runner.records import Marker, Record, RunFolder
from tests.runner import toy
from tests.runner.conftest import Bench, bench  # noqa: F401


def record(folder: RunFolder, stage: str) -> Record:
    found = folder.read_record(stage)
    assert found is not None
    return found


def test_the_time_of_interrupted_attempts_counts(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    def interrupted(seconds: float) -> None:
        raise KeyboardInterrupt

    folder = RunFolder(bench.run_dir)
    with monkeypatch.context() as patch:
        patch.setattr(toy.time, "sleep", interrupted)
        with pytest.raises(KeyboardInterrupt):
            bench.run()
    left = folder.read_marker("align")
    assert left is not None and left.state == "interrupted" and left.seconds > 0
    folder.write_marker("align", Marker(left.state, left.fingerprint, left.message, 1000.0))
    bench.run()
    assert record(folder, "align").seconds > 1000.0 > record(folder, "train").seconds


@pytest.mark.parametrize("force", [True, False])
def test_the_time_of_another_attempt_does_not(bench: Bench, force: bool) -> None:  # noqa: F811
    folder = RunFolder(bench.run_dir)
    bench.run()
    fingerprint = record(folder, "align").plan.fingerprint if force else "of another plan"
    folder.work("align").mkdir(parents=True)
    folder.write_marker("align", Marker("interrupted", fingerprint, "", 1000.0))
    bench.run(only="align", force=True)
    assert record(folder, "align").seconds < 1000.0
