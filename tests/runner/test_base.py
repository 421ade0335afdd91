"""What another run has finished is taken over, exactly where it is the same; neither run disturbs the other."""

from __future__ import annotations

import dataclasses
import json
import multiprocessing
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from speechkd.errors import SpeechkdError, UsageError
from speechkd.runner import Recipe, RunOptions, artifact_digests, base, list_stages, publish, run_recipe, stage
from speechkd.runner.lock import run_lock
from speechkd.runner.records import RunFolder
from tests.runner import toy

SHARED = ("manifest", "alignment")
FRESH = ["fresh"] * 4


@pytest.fixture(autouse=True)
def _no_hook_left() -> Iterator[None]:
    yield
    publish.set_fault_hook(None)


def adopter(bench: Any, *overrides: str) -> tuple[str, ...]:
    """Overrides for a second system, which trains longer than the base."""
    return (f"run.dir={bench.folder / 'second'}", f"run.base={bench.run_dir}", "train.steps=9", *overrides)


def stages(lines: list[str]) -> list[str]:
    return [line.partition(": ")[2] for line in lines if line.startswith("stage ") and ": done" not in line]


def taken(bench: Any) -> str:
    return f"taken over from {bench.run_dir}"


def snapshot(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    """Time, inode and bytes of each file."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {
        str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.stat().st_ino, path.read_bytes())
        for path in files
    }


def files_of(folder: Path, artifacts: tuple[str, ...] = SHARED) -> list[Path]:
    return sorted(path for name in artifacts for path in (folder / name).rglob("*") if path.is_file())


def test_the_same_stages_are_taken_over_as_links(bench: Any) -> None:
    bench.run()
    before = snapshot(bench.run_dir)
    lines = bench.run(*adopter(bench))
    assert lines[:2] == [f"stage 1 prepare: {taken(bench)}", f"stage 2 align: {taken(bench)}"]
    assert stages(lines)[2:] == [f"not {taken(bench)}: train.steps is 5 there", "missing, running"] + [
        f"not {taken(bench)}: input model differs", "missing, running",
    ]  # fmt: skip
    assert snapshot(bench.run_dir) == before
    second = bench.folder / "second"
    pairs = list(zip(files_of(bench.run_dir), files_of(second), strict=True))
    assert len(pairs) > 5 and all(a.samefile(b) for a, b in pairs)
    assert not (bench.run_dir / "model" / "model.json").samefile(second / "model" / "model.json")
    assert bench.states(*adopter(bench), verify=True) == FRESH
    alone = (f"run.dir={bench.folder / 'alone'}", "train.steps=9")
    bench.run(*alone)
    expected = artifact_digests(toy.TOY, bench.folder / "alone")
    found = artifact_digests(toy.TOY, second)
    assert {name: each for name, each in found.items() if not each.volatile} == {
        name: each for name, each in expected.items() if not each.volatile
    }


def test_nothing_is_done_twice_and_the_base_is_not_needed_afterwards(bench: Any) -> None:
    bench.run()
    bench.run(*adopter(bench))
    before = snapshot(bench.folder / "second")
    assert stages(bench.run(*adopter(bench))) == FRESH
    publish.remove(bench.run_dir)
    assert stages(bench.run(*adopter(bench))) == FRESH
    assert snapshot(bench.folder / "second") == before


def test_records_are_the_runs_own(bench: Any) -> None:
    bench.run()
    bench.run(*adopter(bench))
    old, new = (RunFolder(path).read_record("align") for path in (bench.run_dir, bench.folder / "second"))
    assert old is not None and new == old and new.function == "tests.runner.toy:align"
    log = (bench.folder / "second" / "logs" / "02_align.log").read_text()
    assert f"INFO taken over from {bench.run_dir}" in log
    assert not (bench.folder / "second" / ".work" / "align").exists()


def test_dry_run_says_what_would_be_taken_over_and_writes_nothing(bench: Any) -> None:
    bench.run()
    lines = stages(bench.run(*adopter(bench), dry_run=True))
    assert lines == [f"missing, would be {taken(bench)}"] * 2 + ["missing, would run"] * 2
    assert stages(bench.run(*adopter(bench), dry_run=True, force=True)) == ["missing, would run"] * 4
    assert not (bench.folder / "second").exists()
    assert bench.states(*adopter(bench)) == ["missing"] * 4


def test_forced_stages_run(bench: Any) -> None:
    bench.run()
    bench.run(*adopter(bench))
    lines = stages(bench.run(*adopter(bench), force=True))
    assert lines == ["forced, running"] * 4
    pairs = zip(files_of(bench.run_dir), files_of(bench.folder / "second"), strict=True)
    assert not any(a.samefile(b) or a.read_bytes() != b.read_bytes() for a, b in pairs)


@pytest.mark.parametrize("rebuilt", ["base", "second"])
def test_rebuilding_one_leaves_the_other_alone(bench: Any, rebuilt: str) -> None:
    bench.run()
    bench.run(*adopter(bench))
    second = bench.folder / "second"
    watched = second if rebuilt == "base" else bench.run_dir
    before = snapshot(watched)
    if rebuilt == "base":
        bench.run("align.backend=other", force=True)
        assert bench.states(*adopter(bench), verify=True) == FRESH
    else:
        bench.run(*adopter(bench), "align.backend=other", "corpus.limit=7", force=True)
        assert bench.states(verify=True) == FRESH
    assert snapshot(watched) == before
    # Deleting a file of the one is damage of the one alone.
    (bench.run_dir / "manifest" / "names.json").unlink()
    assert (second / "manifest" / "names.json").is_file()


def test_what_differs_is_run_and_the_reason_told(bench: Any) -> None:
    bench.run()
    lines = stages(bench.run(*adopter(bench, "align.backend=mfa", "align.bad=[x]")))
    reason = "align.backend is pocketsphinx there; align.bad is [] there"
    assert lines[:3] == [taken(bench), f"not {taken(bench)}: {reason}", "missing, running"]
    bench.add("item999")
    lines = stages(bench.run(*adopter(bench, f"run.dir={bench.folder / 'third'}")))
    assert lines[:2] == [f"not {taken(bench)}: files in corpus.dir differ", "missing, running"]
    assert lines[2:4] == [f"not {taken(bench)}: input manifest differs", "missing, running"]


def test_a_stale_stage_is_taken_over_too(bench: Any) -> None:
    bench.run()
    bench.run(*adopter(bench, "align.backend=other"))
    lines = stages(bench.run(*adopter(bench)))
    assert lines[:2] == ["fresh", taken(bench)]
    assert bench.states(*adopter(bench), verify=True) == FRESH


@pytest.mark.parametrize("damage", ["deleted", "changed", "added", "sly"])
def test_a_damaged_base_is_not_used(bench: Any, damage: str) -> None:
    bench.run()
    path = bench.run_dir / "manifest" / "names.json"
    info = path.stat()
    if damage == "deleted":
        path.unlink()
    elif damage == "added":
        (path.parent / "other").touch()
    else:
        path.write_bytes(path.read_bytes().replace(b"item000", b"item00x"))
    if damage == "sly":  # the same size and time: seen where every file is hashed
        os.utime(path, ns=(info.st_atime_ns, info.st_mtime_ns))
    name = "other" if damage == "added" else "names.json"
    told = "changed" if damage == "sly" else damage
    lines = stages(bench.run(*adopter(bench), verify=damage == "sly"))
    assert lines[:3] == [f"not {taken(bench)}: output manifest/{name} {told}", "missing, running", taken(bench)]
    assert "item00x" not in (bench.folder / "second" / "manifest" / "names.json").read_text()


def test_a_base_at_work_is_not_used(bench: Any) -> None:
    bench.run()
    with run_lock(bench.run_dir):
        lines = stages(bench.run(*adopter(bench)))
    assert lines[0].startswith(f"not {taken(bench)}: process {os.getpid()} on ") and lines[1] == "missing, running"
    assert stages(bench.run(*adopter(bench)))[:2] == ["fresh", "fresh"]


def test_a_base_that_changes_while_it_is_linked_is_not_used(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.run()
    link = publish.link_file
    seen: list[Path] = []

    def meanwhile(source: Path, target: Path) -> bool:
        if not seen:
            seen.append(source)
            bench.run("corpus.limit=9")
        return link(source, target)

    monkeypatch.setattr(base, "link_file", meanwhile)
    lines = stages(bench.run(*adopter(bench)))
    assert lines[:2] == [f"not {taken(bench)}: output manifest/names.json changed meanwhile", "missing, running"]
    assert len(json.loads((bench.folder / "second" / "manifest" / "names.json").read_text())) == 40
    assert bench.states(*adopter(bench), verify=True) == FRESH


def test_without_links_files_are_copied_and_checked(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.run()

    def refuse(source: Path, target: Path) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    assert stages(bench.run(*adopter(bench)))[:2] == [taken(bench)] * 2
    pairs = list(zip(files_of(bench.run_dir), files_of(bench.folder / "second"), strict=True))
    assert pairs and all(not a.samefile(b) and a.read_bytes() == b.read_bytes() for a, b in pairs)
    assert bench.states(*adopter(bench), verify=True) == FRESH


def test_a_bad_copy_is_noticed(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.run()

    def corrupt(source: Path, target: Path) -> bool:
        target.write_bytes(source.read_bytes().replace(b"item000", b"item00x"))
        return False

    monkeypatch.setattr(base, "link_file", corrupt)
    assert stages(bench.run(*adopter(bench)))[0] == f"not {taken(bench)}: output manifest/names.json changed meanwhile"
    assert "item00x" not in (bench.folder / "second" / "manifest" / "names.json").read_text()


@pytest.mark.parametrize(("made", "why"), [(False, "there is no such folder"), (True, "no stage has been run there")])
def test_a_base_that_is_no_run_is_told(bench: Any, made: bool, why: str) -> None:
    if made:
        bench.run_dir.mkdir()
    lines = bench.run(*adopter(bench))
    assert lines[0] == f"nothing is taken over from {bench.run_dir}: {why}"
    assert stages(lines) == ["missing, running"] * 4
    assert bench.run(*adopter(bench)) == [f"stage {n} {s.name}: fresh" for n, s in enumerate(toy.TOY.stages, 1)]


def test_a_run_is_not_its_own_base(bench: Any) -> None:
    (bench.folder / "link").symlink_to(bench.run_dir)
    with pytest.raises(UsageError, match=r"run\.base is the run's own folder"):
        bench.run(f"run.base={bench.folder / 'link'}")


def other_recipe(**changes: Any) -> Recipe:
    """Another recipe with the toy's prepare and a stage of its own that is called align."""

    @stage(inputs=("manifest",), outputs=("alignment",), uses=("align", "pause_s"))
    def align(cfg: Any, ctx: Any) -> None:
        (ctx.output("alignment") / "own").write_text("own")

    return Recipe("toy/other", toy.ToyConfig, (toy.prepare, align), toy.TOY.run_dir, toy.TOY.base, **changes)


def test_among_recipes_the_function_counts_not_the_name(bench: Any) -> None:
    bench.run()
    cfg = bench.cfg(*adopter(bench))
    run_recipe(other_recipe(), cfg)
    second = bench.folder / "second"
    assert (second / "manifest" / "names.json").samefile(bench.run_dir / "manifest" / "names.json")
    assert (second / "alignment" / "own").read_text() == "own"
    record = RunFolder(second).read_record("prepare")
    assert record is not None and record.plan.recipe == "toy/other"
    assert bench.run(*adopter(bench))[0] == f"stage 1 prepare: {taken(bench)}"


def test_a_record_without_its_function_serves_its_own_recipe_alone(bench: Any) -> None:
    bench.run()
    path = bench.run_dir / ".records" / "prepare.json"
    raw = json.loads(path.read_text())
    assert raw.pop("function") == "tests.runner.toy:prepare"
    path.write_text(json.dumps(raw))
    run_recipe(other_recipe(), bench.cfg(*adopter(bench)))
    names = bench.folder / "second" / "manifest" / "names.json"
    assert not names.samefile(bench.run_dir / "manifest" / "names.json")
    third = adopter(bench, f"run.dir={bench.folder / 'third'}")
    assert bench.run(*third)[0] == f"stage 1 prepare: {taken(bench)}"


def test_another_version_is_run(bench: Any) -> None:
    bench.run()
    newer = dataclasses.replace(toy.TOY.stages[0], version=2)
    recipe = dataclasses.replace(toy.TOY, stages=(newer, *toy.TOY.stages[1:]))
    run_recipe(recipe, bench.cfg(*adopter(bench)), RunOptions(stop_stage="prepare"))
    names = bench.folder / "second" / "manifest" / "names.json"
    assert not names.samefile(bench.run_dir / "manifest" / "names.json")


def _run_and_die(bench: Any, overrides: tuple[str, ...], at: int) -> None:
    """In a child: killed just before publishing step number `at`."""
    counter = iter(range(at + 1))

    def hook(step: str, path: Path) -> None:
        if next(counter) == at:
            os.kill(os.getpid(), signal.SIGKILL)

    publish.set_fault_hook(hook)
    bench.run(*overrides, stop_stage="align")


def test_killed_before_every_step_of_taking_over(tmp_path: Path, make_bench: Any) -> None:
    bench = make_bench(tmp_path / "bench", 18)
    bench.run()
    before = snapshot(bench.run_dir)
    steps: list[str] = []
    publish.set_fault_hook(lambda step, path: steps.append(step))
    bench.run(*adopter(bench), stop_stage="align")
    publish.set_fault_hook(None)
    second = bench.folder / "second"
    expected = [path.read_bytes() for path in files_of(second)]
    chosen = [i for i, step in enumerate(steps) if step != "fsync" or i % 8 == 0]
    assert len(chosen) > 15
    for at in chosen:
        publish.remove(second)
        child = multiprocessing.get_context("fork").Process(target=_run_and_die, args=(bench, adopter(bench), at))
        child.start()
        child.join()
        assert child.exitcode == -signal.SIGKILL
        assert set(stages(bench.run(*adopter(bench), stop_stage="align"))) <= {"fresh", taken(bench)}
        assert [path.read_bytes() for path in files_of(second)] == expected
        assert bench.states(*adopter(bench), verify=True)[:2] == ["fresh", "fresh"]
    assert snapshot(bench.run_dir) == before


def test_a_full_disk_while_taking_over_is_told(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.run()

    def full(source: Path, target: Path) -> bool:
        with publish.resource_errors(target):
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(base, "link_file", full)
    with pytest.raises(SpeechkdError, match="the disk is full"):
        bench.run(*adopter(bench))
    assert bench.states(*adopter(bench))[0].startswith("failed: ")
    monkeypatch.undo()
    assert stages(bench.run(*adopter(bench)))[:2] == [taken(bench)] * 2


def test_an_option_added_later_and_not_used_changes_nothing(bench: Any) -> None:
    """Records of an older version lack the leaf, or the external path: nothing is done again for that."""

    @stage(outputs=("manifest",), uses=("corpus.limit",), external=("corpus.dir", "run.base"))
    def prepare(cfg: Any, ctx: Any) -> None:
        toy.prepare(cfg, ctx)

    recipe = Recipe("toy/numbers", toy.ToyConfig, (prepare,), toy.TOY.run_dir)
    bench.run()
    path = bench.run_dir / ".records" / "prepare.json"
    raw = json.loads(path.read_text())
    assert raw["plan"]["slice"].pop("corpus.limit", "absent") is None and "run.base" not in raw["plan"]["external"]
    path.write_text(json.dumps(raw))
    assert bench.states() == FRESH
    assert bench.states("corpus.limit=3")[0] == "stale: corpus.limit (none) → 3"
    assert list_stages(recipe, bench.cfg())[0].text == "fresh"
    used = list_stages(recipe, bench.cfg(f"run.base={bench.folder}"))[0].text
    assert used == f"stale: run.base (none) → {bench.folder}"
    assert stages(bench.run(*adopter(bench)))[0] == taken(bench)
