"""Items in = items out + items reported, for any number of workers, whatever happens to them."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from speechkd.errors import DataError, ResourceError, StageError
from speechkd.runner import Item, ItemStore, Recipe, RunOptions, artifact_digests, run_recipe, stage
from speechkd.runner.items import shard_size
from speechkd.runner.mapping import Work, cut, run_shard
from speechkd.runner.pool import one_thread_here
from tests.runner import toy


def own_recipe(function: Any, items: list[Any], reports: list[Any], **options: Any) -> Recipe:
    @stage(outputs=("out",))
    def only(cfg: Any, ctx: Any) -> None:
        reports.append(ctx.map(function, items, "out", **options))

    return Recipe("toy/map", toy.ToyConfig, (only,), lambda cfg: cfg.run.dir)


def plain(item_id: str, item: Any, common: Any) -> Item:
    if item == "missing package":
        raise ResourceError("no such package")
    if item == "full":
        raise OSError(28, "No space left on device", "/x/y")
    if item == "nan":
        return Item(meta={"x": float("nan")})
    if item == "wrong":
        return {"x": 1}  # type: ignore[return-value]
    return Item(meta={"v": item})


def test_same_bytes_for_any_number_of_workers(tmp_path: Path, make_bench: Any) -> None:
    found = []
    for jobs in (1, 2, 3):
        bench = make_bench(tmp_path / str(jobs))
        bench.run(jobs=jobs)
        found.append(
            {name: each.sha256 for name, each in artifact_digests(toy.TOY, bench.run_dir).items() if not each.volatile}
        )
    assert found[0] == found[1] == found[2]


def test_report_adds_up(bench: Any) -> None:
    bench.run("align.backend=lenient", "align.bad=[item001, item020]")
    store = ItemStore(bench.run_dir / "alignment")
    assert store.errors == [("item001", "cannot be aligned"), ("item020", "cannot be aligned")]
    assert len(store) == 38 and "item001" not in store


def test_too_many_errors_fail_and_are_all_listed_and_tried_again(bench: Any) -> None:
    bad = "align.bad=[" + ",".join(f"item{i:03d}" for i in range(7)) + "]"
    with pytest.raises(StageError, match="7 of 40 items failed, 0 are allowed") as caught:
        bench.run(bad)
    assert "item004: cannot be aligned; and 2 more" in str(caught.value) and caught.value.exit_code == 4
    report = bench.run_dir / "logs" / "02_align.errors.jsonl"
    assert [json.loads(line)["id"] for line in report.read_text().splitlines()] == [f"item{i:03d}" for i in range(7)]
    shards = sorted(path.name for path in (bench.run_dir / ".work/align/scratch").glob("*/map/alignment/*"))
    assert shards == ["shard-00001", "shard-00002"]


def test_shards_are_cut_by_id_alone() -> None:
    ids = [f"{i:02d}" for i in range(40)]
    forward, backward = cut((i, 0) for i in ids), cut((i, 0) for i in reversed(ids))
    assert forward == backward and [len(shard.items) for shard in forward] == [16, 16, 8]
    for bad in ([("a", 1), ("a", 2)], [("", 1)], [(3, 1)]):
        with pytest.raises(StageError):
            cut(bad)  # type: ignore[arg-type]


def test_shards_grow_with_the_corpus() -> None:
    """A corpus of 100,000 items must not become 6,250 shards; a small one must not become a few."""
    assert [shard_size(n) for n in (0, 1000, 10_000, 50_000, 1_000_000)] == [16, 16, 19, 97, 128]


def test_no_items(bench: Any) -> None:
    reports: list[Any] = []
    run_recipe(own_recipe(plain, [], reports), bench.cfg())
    assert (reports[0].n_items, reports[0].n_done, reports[0].errors) == (0, 0, ())
    assert ItemStore(bench.run_dir / "out").ids == ()


@pytest.mark.parametrize(
    ("item", "code", "words"),
    [("missing package", 6, "no such package"), ("full", 6, "/x/y: the disk is full"), ("nan", 4, "cannot be stored"),
     ("wrong", 4, "b: the item failed: TypeError: the function must return an Item")],
)  # fmt: skip
def test_other_errors_stop_the_stage(bench: Any, item: str, code: int, words: str) -> None:
    with pytest.raises((StageError, ResourceError), match=words) as caught:
        run_recipe(own_recipe(plain, [("a", 1), ("b", item)], []), bench.cfg())
    assert caught.value.exit_code == code


def test_functions_that_cannot_be_sent_are_refused_for_one_worker_too(bench: Any) -> None:
    with pytest.raises(StageError, match="top of a module"):
        run_recipe(own_recipe(lambda i, x, c: Item(), [("a", 1)], []), bench.cfg())


def test_a_bug_in_a_worker_names_the_item(bench: Any) -> None:
    bench.add("boom1")
    with pytest.raises(StageError, match="boom1: the item failed: ValueError: a bug") as caught:
        bench.run(jobs=2)
    assert "a bug" in str(caught.value.__cause__)
    assert "ValueError: a bug" in (bench.run_dir / "logs" / "02_align.log").read_text()


def test_a_killed_worker_is_tried_once_more(bench: Any) -> None:
    bench.add("once1")
    lines = bench.run(jobs=2)
    assert any("a worker died while it worked on shard 2 (item032 … once1): trying once more" in line for line in lines)
    assert bench.states() == ["fresh"] * 4 and "once1" in ItemStore(bench.run_dir / "alignment")


def test_a_worker_killed_twice_fails_the_stage_and_names_the_shard(bench: Any) -> None:
    bench.add("kill1")
    start = time.monotonic()
    with pytest.raises(StageError, match=r"died twice on shard 2 \(item032 … kill1\)"):
        bench.run(jobs=2)
    assert time.monotonic() - start < 30
    assert not multiprocessing.active_children()


def test_finished_shards_are_kept_and_counted(bench: Any) -> None:
    bench.add("zboom")
    with pytest.raises(StageError):
        bench.run()
    shards = sorted((bench.run_dir / ".work/align/scratch").glob("*/map/alignment/*"))
    assert [path.name for path in shards] == ["shard-00000", "shard-00001"]
    times = [path.stat().st_mtime_ns for path in shards]
    with pytest.raises(StageError):
        bench.run()
    assert "32 items were finished by an earlier run" in (bench.run_dir / "logs/02_align.log").read_text()
    assert [path.stat().st_mtime_ns for path in shards] == times


def test_a_shard_of_other_items_is_not_taken(tmp_path: Path) -> None:
    """Finished means: finished for exactly these ids."""
    from speechkd.runner.mapping import _finished

    first, second = cut([("a", 1), ("b", 2)])[0], cut([("a", 1), ("c", 2)])[0]
    assert run_shard(Work(plain, None, tmp_path), first) is False
    assert _finished(first, tmp_path) and not _finished(second, tmp_path)
    (tmp_path / "shard-00000" / "ids.json").write_text("{")
    assert not _finished(first, tmp_path)


def start_toy(bench: Any, *arguments: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, toy.__file__, str(bench.config), "--set", "pause_s=0.1", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)
    deadline = time.monotonic() + 30
    while not list(bench.run_dir.glob(".work/align/scratch/*/map/alignment")) and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.5)
    return process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_interrupt_exits_130_and_the_next_run_goes_on(bench: Any, number: int, jobs: str) -> None:
    process = start_toy(bench, "--jobs", jobs)
    start = time.monotonic()
    os.killpg(process.pid, number) if number == signal.SIGINT else process.send_signal(number)
    output, _ = process.communicate(timeout=20)
    assert process.returncode == 130, output
    assert time.monotonic() - start < 10 and b"Traceback" not in output, output.decode()
    assert bench.states("pause_s=0.1")[:2] == ["fresh", "incomplete (interrupted)"]
    bench.run("pause_s=0.0")
    assert bench.states("pause_s=0.0") == ["fresh"] * 4


def test_workers_end_with_their_runner(bench: Any) -> None:
    process = start_toy(bench, "--jobs", "2")
    process.kill()
    process.wait()
    deadline = time.monotonic() + 10
    while _group_alive(process.pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _group_alive(process.pid)
    assert bench.states("pause_s=0.1")[1] == "incomplete (killed)"
    lines = bench.run("pause_s=0.1")
    assert lines[1] == "stage 2 align: incomplete (killed), running"


def _group_alive(group: int) -> bool:
    """Whether a process of the group runs (zombies of others do not count)."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[2]) == group and fields[0] != "Z":
            return True
    return False


def test_a_second_runner_is_sent_away(bench: Any) -> None:
    process = start_toy(bench)
    assert bench.states("pause_s=0.1")[1].startswith(f"running: process {process.pid} on ")
    start = time.monotonic()
    with pytest.raises(ResourceError, match=f"another run is using this folder: process {process.pid} on ") as caught:
        bench.run("pause_s=0.1")
    assert time.monotonic() - start < 1 and caught.value.exit_code == 6
    process.kill()
    process.wait()
    bench.run()  # the lock of a dead process is nobody's


def test_stale_lock_file_is_taken_over(bench: Any) -> None:
    bench.run_dir.mkdir()
    (bench.run_dir / ".lock").write_text('{"pid": 999999999, "host": "elsewhere"}')
    bench.run()
    (bench.run_dir / ".lock").write_text("garbage")
    bench.run(only="1", force=True)
    assert (bench.run_dir / ".lock").read_text() == ""


def test_lock_without_kernel_locks(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a file system that has no locks, the process in the file decides."""
    import fcntl
    import socket

    def refuse(handle: int, how: int) -> None:
        raise OSError(38, "not implemented")

    monkeypatch.setattr(fcntl, "flock", refuse)
    bench.run_dir.mkdir()
    lock = bench.run_dir / ".lock"
    for pid, host, free in ((999999999, socket.gethostname(), True), (os.getppid(), socket.gethostname(), False),
                            (1, "elsewhere", False)):  # fmt: skip
        lock.write_text(json.dumps({"pid": pid, "host": host}))
        if free:
            bench.run(only="1")
        else:
            with pytest.raises(ResourceError, match=f"process {pid} on {host}"):
                bench.run(only="1", force=True)


def test_runs_outside_the_main_thread(bench: Any) -> None:
    thread = threading.Thread(target=bench.run)
    thread.start()
    thread.join(30)
    assert bench.states() == ["fresh"] * 4


def test_one_thread_here_gives_the_threads_back(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    before = torch.get_num_threads()
    monkeypatch.setenv("OMP_NUM_THREADS", str(before))
    with one_thread_here():
        assert torch.get_num_threads() == 1
        assert os.environ["OMP_NUM_THREADS"] == "1"
    assert torch.get_num_threads() == before
    assert os.environ["OMP_NUM_THREADS"] == str(before)


def test_a_stage_does_not_inherit_threads(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stage that changes torch's thread count must not change the sums of the next one."""
    torch = pytest.importorskip("torch")
    before = torch.get_num_threads()
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    seen: list[int] = []

    def look(cfg: Any, ctx: Any) -> None:
        seen.append(torch.get_num_threads())
        torch.set_num_threads(5)
        ctx.output(f"out{len(seen)}")

    stages = tuple(stage(outputs=(f"out{i}",), name=f"s{i}")(look) for i in (1, 2))
    run_recipe(Recipe("toy/threads", toy.ToyConfig, stages, lambda cfg: cfg.run.dir), bench.cfg())
    torch.set_num_threads(before)
    assert seen == [3, 3]


def total(_part: str, numbers: list[int], common: int) -> Item:
    if common < 0:
        raise DataError("negative")
    return Item(meta={"sum": sum(numbers) * common})


@pytest.mark.parametrize("jobs", [1, 2])
def test_gathered_results_are_read_and_not_published(bench: Any, jobs: int) -> None:
    found: list[Any] = []

    @stage(outputs=("out",))
    def only(cfg: Any, ctx: Any) -> None:
        parts = [(f"{i}", list(range(i))) for i in range(4)]
        store = ctx.gather(total, parts, "sums", common=10)
        found.extend(store.meta(part)["sum"] for part in store.ids)
        found.append(len(list(ctx.scratch.glob("map/sums/shard-*"))))
        ctx.output("out")
        with pytest.raises(StageError, match="4 of 4 items failed, 0 are allowed"):
            ctx.gather(total, parts, "wrong", common=-1)

    run_recipe(
        Recipe("toy/gather", toy.ToyConfig, (only,), lambda cfg: cfg.run.dir), bench.cfg(), RunOptions(jobs=jobs)
    )
    assert found == [0, 0, 10, 30, 4]
    assert list((bench.run_dir / "out").iterdir()) == []


def worker_state(item_id: str, item: Any, common: Any) -> Item:
    import gc

    return Item(meta={"collects": gc.isenabled(), "shared": gc.get_freeze_count() > 1000})


@pytest.mark.skipif(sys.platform != "linux", reason="workers are forked on Linux only")
def test_workers_share_what_was_loaded_and_collect_their_own(bench: Any) -> None:
    reports: list[Any] = []
    recipe = own_recipe(worker_state, [("a", 1)], reports)
    run_recipe(recipe, bench.cfg(), RunOptions(jobs=2))
    assert ItemStore(bench.run_dir / "out").meta("a") == {"collects": True, "shared": True}
