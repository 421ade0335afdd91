"""What is published is whole or absent, wherever the process or the disk gives up."""

from __future__ import annotations

import errno
import multiprocessing
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from speechkd.errors import ResourceError
from speechkd.runner import artifact_digests, publish
from speechkd.runner.records import RunFolder
from tests.runner import toy

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _no_hook_left() -> Iterator[None]:
    yield
    publish.set_fault_hook(None)


def count_steps(bench: Any) -> list[str]:
    """The publishing steps of one whole run."""
    steps: list[str] = []
    publish.set_fault_hook(lambda step, path: steps.append(step))
    bench.run()
    publish.set_fault_hook(None)
    return steps


def _run_and_die(bench: Any, at: int) -> None:
    """In a child: run the recipe and be killed just before step number `at`."""
    counter = iter(range(at + 1))

    def hook(step: str, path: Path) -> None:
        if next(counter) == at:
            os.kill(os.getpid(), signal.SIGKILL)

    publish.set_fault_hook(hook)
    bench.run()


def assert_nothing_half(bench: Any) -> None:
    """Every artifact that has a record is whole."""
    folder = RunFolder(bench.run_dir)
    for each in toy.TOY.stages:
        record = folder.read_record(each.name)
        for name, output in (record.outputs if record else {}).items():
            found = publish_digest(folder.artifact(name))
            assert found == output.digest, (each.name, name)


def publish_digest(folder: Path) -> str:
    from speechkd.runner.digests import artifact_digest, hash_files

    return artifact_digest(hash_files(folder))


def test_killed_before_every_step(tmp_path: Path, make_bench: Any) -> None:
    """SIGKILL before each open, write, fsync, rename and record of a whole run; the next run finishes it."""
    reference = make_bench(tmp_path / "reference", 18)
    steps = count_steps(reference)
    assert set(steps) == set(publish.STEPS) and len(steps) > 50
    expected = artifact_digests(toy.TOY, reference.run_dir)
    fork = multiprocessing.get_context("fork")
    bench = make_bench(tmp_path / "killed", 18)
    # Every step of the last three stages' publishing and a sample of the many shards' fsyncs.
    chosen = [i for i, step in enumerate(steps) if step != "fsync" or i % 8 == 0]
    for at in chosen:
        publish.remove(bench.run_dir)
        child = fork.Process(target=_run_and_die, args=(bench, at))
        child.start()
        child.join(60)
        assert child.exitcode == -signal.SIGKILL, (at, steps[at])
        assert_nothing_half(bench)
        assert "incomplete (killed)" in bench.states() or at < 5 or "missing" in bench.states()
        bench.run()
        found = artifact_digests(toy.TOY, bench.run_dir)
        assert {n for n in found if found[n] != expected[n]} <= {"timing"}, (at, steps[at])
        assert not list(bench.run_dir.rglob("*.tmp")) and not list((bench.run_dir / ".work").iterdir())


@pytest.mark.parametrize("step", publish.STEPS)
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EROFS, errno.EACCES])
def test_the_disk_gives_up(bench: Any, step: str, code: int) -> None:
    """The error is loud and names a path; what was there stays; the run goes on when the disk is back."""
    bench.run("train.steps=3")
    before = artifact_digests(toy.TOY, bench.run_dir)

    def hook(name: str, path: Path) -> None:
        if name == step and "align" in str(path):
            raise OSError(code, os.strerror(code), str(path))

    publish.set_fault_hook(hook)
    with pytest.raises(ResourceError, match=re.escape(str(bench.run_dir))) as caught:
        bench.run("align.backend=mfa", "train.steps=3")
    assert caught.value.exit_code == 6
    assert ("bytes are free" in str(caught.value)) == (code == errno.ENOSPC)
    publish.set_fault_hook(None)
    assert_nothing_half(bench)
    after = artifact_digests(toy.TOY, bench.run_dir)
    assert {name for name in before if name != "alignment"} <= {name for name in after if after[name] == before[name]}
    bench.run("align.backend=mfa", "train.steps=3")
    assert bench.states("align.backend=mfa", "train.steps=3") == ["fresh"] * 4


def test_an_old_artifact_survives_a_failing_rebuild(bench: Any) -> None:
    bench.run()
    before = artifact_digests(toy.TOY, bench.run_dir)
    with pytest.raises(Exception, match="cannot be aligned"):
        bench.run("align.bad=[item003]")
    assert artifact_digests(toy.TOY, bench.run_dir) == before and bench.states() == ["fresh"] * 4


def test_publish_folder_replaces_and_keeps_the_old_aside(tmp_path: Path) -> None:
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name)
    publish.publish_folder(tmp_path / "old", tmp_path / "target")
    publish.publish_folder(tmp_path / "new", tmp_path / "target", tmp_path / "aside")
    assert (tmp_path / "target/file").read_text() == "new" and (tmp_path / "aside/file").read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["aside", "target"]


def test_real_full_disk(tmp_path: Path) -> None:
    """The kernel's own answer to a file that may not grow."""
    import resource

    def child() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        try:
            publish.write_file(tmp_path / "big", b"x" * 5000)
        except ResourceError:
            os._exit(0 if not list(tmp_path.iterdir()) else 2)
        os._exit(1)

    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    process.join(30)
    assert process.exitcode == 0


def test_only_one_module_renames() -> None:
    """os.rename, os.replace, Path.rename, Path.replace, shutil.move: in publish.py alone."""
    pattern = re.compile(r"\b(os\.(rename|renames|replace)|shutil\.move)\(|\.rename\(")
    for path in sorted((ROOT / "speechkd").rglob("*.py")):
        if path.name != "publish.py":
            assert not pattern.search(path.read_text(encoding="utf-8")), path
