"""A stage runs when something it depends on changed, says why, and runs for no other reason."""

from __future__ import annotations

import dataclasses
import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from speechkd.config import flatten
from speechkd.errors import UsageError
from speechkd.runner import Output, Recipe, RunOptions, artifact_digests, list_stages, run_recipe, stage
from speechkd.runner.slices import UndeclaredFieldError
from tests.runner import toy

FRESH = ["fresh"] * 4


def test_second_run_writes_nothing(bench: Any) -> None:
    assert bench.states() == ["missing"] * 4
    bench.run()
    before = bench.files()
    start = time.monotonic()
    assert [line.split(": ")[1] for line in bench.run()] == FRESH
    assert time.monotonic() - start < 1 and bench.files() == before
    assert bench.states(verify=True) == FRESH


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        (
            "align.backend=mfa",
            ["fresh", "stale: align.backend pocketsphinx → mfa", "stale: input alignment will be rebuilt"],
        ),
        ("corpus.limit=3", ["stale: corpus.limit null → 3", "stale: input manifest will be rebuilt"]),
        ("train.steps=6", ["fresh", "fresh", "stale: train.steps 5 → 6", "stale: input model will be rebuilt"]),
        ("align.bad=[x]", ["fresh", 'stale: align.bad [] → ["x"]']),
    ],
)  # fmt: skip
def test_reasons_name_the_leaf(bench: Any, override: str, expected: list[str]) -> None:
    bench.run()
    assert bench.states(override)[: len(expected)] == expected


def test_every_leaf_makes_stale_exactly_its_stages_and_their_descendants(bench: Any) -> None:
    bench.run()
    declared = {each.name: (*each.uses, *each.external) for each in toy.TOY.stages}
    below = {
        "prepare": {"align", "train", "results"},
        "align": {"train", "results"},
        "train": {"results"},
        "results": set(),
    }
    other = bench.folder / "other"
    other.mkdir()
    new_values = {
        "run.dir": None,
        "run.base": None,
        "corpus.dir": str(other),
        "corpus.limit": "1",
        "align.backend": "x",
        "align.bad": "[q]",
        "train.steps": "9",
        "train.seed": "9",
        "pause_s": "0.001",
    }
    assert set(new_values) == set(flatten(bench.cfg()))
    for leaf, value in new_values.items():
        if value is None:
            continue
        hit = {name for name, paths in declared.items() if any(leaf == p or leaf.startswith(p + ".") for p in paths)}
        expected = hit.union(*(below[name] for name in hit))
        states = list_stages(toy.TOY, bench.cfg(f"{leaf}={value}"))
        assert {status.name for status in states if not status.fresh} == expected, leaf


def test_early_cutoff(bench: Any) -> None:
    """A new file time makes prepare run again; its bytes are the same, so nothing after it runs."""
    bench.run()
    os.utime(bench.folder / "corpus" / "item000", (1, 1))
    assert bench.states()[0] == "stale: files in corpus.dir changed"
    lines = bench.run()
    assert lines[0] == "stage 1 prepare: stale: files in corpus.dir changed, running"
    assert lines[2:] == ["stage 2 align: fresh", "stage 3 train: fresh", "stage 4 results: fresh"]


def test_changed_input_is_named(bench: Any) -> None:
    bench.run()
    bench.add("item999")
    lines = [line for line in bench.run() if line.endswith("running")]
    assert lines[1] == "stage 2 align: stale: input manifest changed, running"


def test_moving_external_files_changes_nothing(bench: Any) -> None:
    bench.run()
    (bench.folder / "corpus").rename(bench.folder / "moved")
    assert bench.states(f"corpus.dir={bench.folder / 'moved'}") == FRESH
    assert bench.states()[0].startswith("stale: files in corpus.dir")
    other = bench.folder / "empty"
    other.mkdir()
    assert bench.states(f"corpus.dir={other}")[0] == f"stale: corpus.dir {bench.folder / 'corpus'} → {other}"


def test_stage_version_and_recipe_name(bench: Any) -> None:
    bench.run()
    newer = dataclasses.replace(toy.TOY.stages[1], version=2)
    recipe = dataclasses.replace(toy.TOY, stages=(toy.TOY.stages[0], newer, *toy.TOY.stages[2:]))
    assert list_stages(recipe, bench.cfg())[1].text == "stale: stage version 1 → 2"
    renamed = dataclasses.replace(toy.TOY, name="toy/other")
    assert list_stages(renamed, bench.cfg())[0].text == "stale: recipe toy/numbers → toy/other"


@pytest.mark.parametrize("artifact", ["manifest/names.json", "alignment/shard-00001.safetensors", "timing/time.json"])
@pytest.mark.parametrize("damage", ["delete", "truncate", "append", "edit", "touch", "extra", "whole", "sly"])
def test_damage_is_found(bench: Any, artifact: str, damage: str) -> None:
    bench.run()
    path = bench.run_dir / artifact
    info = path.stat()
    expected = f"output {artifact}"
    if damage == "delete":
        path.unlink()
    elif damage == "truncate":
        path.write_bytes(path.read_bytes()[:-1])
    elif damage == "append":
        path.write_bytes(path.read_bytes() + b" ")
    elif damage in ("edit", "sly"):
        raw = bytearray(path.read_bytes())
        raw[-1] ^= 1
        path.write_bytes(raw)
    elif damage == "touch":
        os.utime(path, ns=(info.st_atime_ns, info.st_mtime_ns + 1))
    elif damage == "extra":
        (path.parent / "new").touch()
        expected = f"output {path.parent.name}/new added"
    else:
        for each in path.parent.iterdir():
            each.unlink()
        path.parent.rmdir()
        expected = f"output {path.parent.name} deleted"
    if damage == "sly":  # the same size and time: only a full look can tell
        os.utime(path, ns=(info.st_atime_ns, info.st_mtime_ns))
        assert bench.states() == FRESH
    found = bench.states(verify=True)
    assert any(state.startswith("stale: ") and expected in state for state in found), found
    bench.run(verify=True)
    assert bench.states(verify=True) == FRESH


def test_linked_corpus_folders_count_and_loops_end(bench: Any) -> None:
    elsewhere = bench.folder / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "a").touch()
    (bench.folder / "corpus" / "linked").symlink_to(elsewhere)
    (elsewhere / "loop").symlink_to(bench.folder / "corpus")
    (bench.folder / "corpus" / "dangling").symlink_to("nowhere")
    bench.run()
    assert bench.states() == FRESH
    (elsewhere / "b").touch()
    assert bench.states()[0] == "stale: files in corpus.dir changed"


def test_unreadable_record_counts_as_missing(bench: Any) -> None:
    bench.run()
    for text in ("", "{", "[]", '{"format": 1}', '{"format": 9}', '{"format":1,"plan":{"x":1},"outputs":{}}'):
        (bench.run_dir / ".records" / "align.json").write_text(text)
        assert bench.states()[1] == "missing"


def test_undeclared_fields_cannot_be_read(bench: Any) -> None:
    seen: list[str] = []

    @stage(outputs=("a",), uses=("train.steps", "align"))
    def nosy(cfg: Any, ctx: Any) -> None:
        seen.append(f"{cfg.train.steps} {cfg.align.backend} {hasattr(cfg, '__len__')}")
        with pytest.raises(AttributeError):
            cfg.train = 3
        ctx.output("a")
        _ = cfg.train.seed

    recipe = Recipe("toy/nosy", toy.ToyConfig, (nosy,), lambda cfg: cfg.run.dir)
    with pytest.raises(UndeclaredFieldError, match=r"train\.seed") as caught:
        run_recipe(recipe, bench.cfg())
    assert caught.value.exit_code == 4 and seen == ["5 pocketsphinx False"]


def test_recipes_that_do_not_fit_are_refused() -> None:
    @stage(inputs=("nothing",), outputs=("b",))
    def reader(cfg: Any, ctx: Any) -> None: ...

    @stage(outputs=("manifest",))
    def twice(cfg: Any, ctx: Any) -> None: ...

    @stage(outputs=("c",), uses=("train.stepz",))
    def typo(cfg: Any, ctx: Any) -> None: ...

    for bad in (reader, twice, typo, toy.prepare):
        with pytest.raises(ValueError, match=bad.name):
            Recipe("toy/bad", toy.ToyConfig, (toy.prepare, bad), lambda cfg: cfg.run.dir)
    with pytest.raises(ValueError, match="may only hold"):
        stage(outputs=("../x",))(lambda cfg, ctx: None)


def test_selection(bench: Any) -> None:
    with pytest.raises(UsageError, match="1 prepare: missing"):
        bench.run(stage="align")
    assert [line for line in bench.run(stop_stage="2") if "done in" in line] != []
    assert bench.states() == ["fresh", "fresh", "missing", "missing"]
    with pytest.raises(UsageError, match="3 train: missing"):
        bench.run(only="4")
    bench.run(stage="3")
    assert bench.states() == FRESH
    forced = bench.run(only="align", force=True)
    assert forced[0] == "stage 2 align: forced, running" and "stage 1" not in "".join(forced)
    with pytest.raises(UsageError, match=r"2 align: stale: align\.backend"):
        bench.run("align.backend=mfa", stage="train")
    assert bench.run("align.backend=mfa", dry_run=True)[1:3] == [
        "stage 2 align: stale: align.backend pocketsphinx → mfa, would run",
        "stage 3 train: stale: input alignment will be rebuilt, would run",
    ]
    for options in (
        {"only": "9"},
        {"stage": "x"},
        {"stage": "3", "stop_stage": "2"},
        {"jobs": 0},
        {"executor": "dask"},
        {"executor": "abacus:x"},
        {"executor": "slurm:partition"},
        {"executor": "slurm:cluster=moon"},
        {"executor": "slurm:timeout_min=soon"},
        {"only": "1", "stage": "1"},
    ):
        with pytest.raises(UsageError):
            bench.run(**options)


def test_dry_run_writes_nothing(bench: Any) -> None:
    bench.run(dry_run=True)
    assert not bench.run_dir.exists()


def test_failed_state_and_its_message(bench: Any) -> None:
    bench.add("boom")
    with pytest.raises(Exception, match="boom: the item failed: ValueError: a bug") as caught:
        bench.run()
    assert caught.value.exit_code == 4 and isinstance(caught.value.__cause__, ValueError)
    assert bench.states()[:3] == ["fresh", "failed: boom: the item failed: ValueError: a bug", "missing"]
    assert "a bug" in (bench.run_dir / "logs" / "02_align.log").read_text()
    assert bench.states("align.backend=mfa")[1] == "missing"
    (bench.folder / "corpus" / "boom").unlink()
    bench.run()
    assert bench.states() == FRESH


def test_logs_are_appended_with_times(bench: Any) -> None:
    bench.run()
    bench.run(only="align", force=True)
    lines = (bench.run_dir / "logs" / "02_align.log").read_text().splitlines()
    assert [line[24:] for line in lines].count("INFO started") == 2
    assert all(line[:2] == "20" and line[4] == "-" for line in lines)


def test_config_is_kept_with_the_run(bench: Any) -> None:
    bench.run("train.steps=7")
    kept = bench.run_dir / "config.yaml"
    assert "steps: 7" in kept.read_text()


def test_digests_do_not_depend_on_place_hash_seed_or_locale(bench: Any, tmp_path: Path, make_bench: Any) -> None:
    import subprocess
    import sys

    other = make_bench(tmp_path / "a b" / "é")
    bench.run()
    environment = {**os.environ, "PYTHONHASHSEED": "5", "LC_ALL": "C", "TZ": "Asia/Tokyo", "PYTHONUTF8": "0"}
    command = [sys.executable, toy.__file__, str(other.config), "--jobs", "2"]
    assert subprocess.run(command, env=environment, capture_output=True).returncode == 0
    first, second = (artifact_digests(toy.TOY, each.run_dir) for each in (bench, other))
    assert {name for name in first if first[name] != second[name]} == {"timing"} and first["timing"].volatile


def test_missing_output_fails(bench: Any) -> None:
    @stage(outputs=("a", Output("b")))
    def lazy(cfg: Any, ctx: Any) -> None:
        ctx.output("a")

    with pytest.raises(Exception, match="did not write its output b"):
        run_recipe(Recipe("toy/lazy", toy.ToyConfig, (lazy,), lambda cfg: cfg.run.dir), bench.cfg(), RunOptions())
    assert not (bench.run_dir / "a").exists()


def test_undeclared_artifacts_cannot_be_reached(bench: Any) -> None:
    @stage(outputs=("a",))
    def sneaky(cfg: Any, ctx: Any) -> None:
        for reach in (ctx.input, ctx.output):
            with pytest.raises(Exception, match="not among"):
                reach("manifest")
        os.symlink("/etc/passwd", ctx.output("a") / "link")

    with pytest.raises(Exception, match="plain files"):
        run_recipe(Recipe("toy/sneaky", toy.ToyConfig, (sneaky,), lambda cfg: cfg.run.dir), bench.cfg())
    assert json.loads((bench.run_dir / ".work/sneaky/state.json").read_text())["state"] == "failed"
