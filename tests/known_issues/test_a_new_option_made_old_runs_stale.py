"""A new version of the program with one more option, left alone, trained finished runs anew."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from speechkd.runner import list_stages
from speechkd.runner.slices import default_leaves
from tests.runner import toy
from tests.runner.conftest import Bench

LEAF = "align.backend"


def made_before_the_option(run: Path) -> None:
    """The stage's record, as a version of the program would have written it that had no such option."""
    path = run / ".records" / "align.json"
    record = json.loads(path.read_text())
    assert record["plan"]["slice"].pop(LEAF) == "pocketsphinx"
    path.write_text(json.dumps(record))


@pytest.fixture
def old(tmp_path: Path) -> Bench:
    bench = Bench(tmp_path)
    bench.run()
    made_before_the_option(bench.run_dir)
    return bench


def test_with_its_default_everything_is_fresh(old: Bench) -> None:
    assert [status.text for status in list_stages(toy.TOY, old.cfg())] == ["fresh"] * 4


def test_with_another_value_its_stage_is_stale(old: Bench) -> None:
    states = {status.name: status.text for status in list_stages(toy.TOY, old.cfg(f"{LEAF}=mfa"))}
    assert states["align"] == f"stale: {LEAF} (none) → mfa"


def test_a_base_is_taken_over_in_the_same_way(old: Bench) -> None:
    second = (f"run.dir={old.folder / 'second'}", f"run.base={old.run_dir}", "train.steps=9")
    lines = old.run(*second)
    assert f"stage 2 align: taken over from {old.run_dir}" in lines
    third = (f"run.dir={old.folder / 'third'}", f"run.base={old.run_dir}", f"{LEAF}=mfa")
    assert not any("stage 2 align: taken over" in line for line in old.run(*third))


def test_defaults_are_those_of_the_class_that_has_the_field(tmp_path: Path) -> None:
    # run.dir and corpus.dir have none.
    cfg = Bench(tmp_path).cfg("train.seed=2", "align.bad=[x]", "run.base=null")
    assert default_leaves(cfg) == {
        "run.base",
        "corpus.limit",
        "align.backend",
        "train.steps",
        "pause_s",
    }
