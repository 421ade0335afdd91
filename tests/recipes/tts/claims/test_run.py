"""The recipe from finished runs to the table."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from recipes.tts.claims import RECIPE
from recipes.tts.claims.names import SYSTEMS
from recipes.tts.claims.rows import CLAIMS
from speechkd.config import ConfigErrors, load_config
from speechkd.runner import ItemStore, RunOptions, list_stages, run_recipe
from speechkd.runner.digests import artifact_digest, hash_files
from speechkd.runner.records import RunFolder
from tests.recipes.tts.claims.runs import ROOT, all_runs

SHIPPED = sorted(ROOT.glob("egs/*/tts1/conf/claims.yaml"))
QUICK = """
vocoder: {n_iter: 2}
speed: {frames: [20, 40], threads: 2, rounds: 2, slow_rounds: 1, warm_up: 1}
training: {steps: 4, warm_up: 1, rounds: 1}
robustness: {sentences: 1, controls: 2}
control: {utterances: 1}
ablation: {train_utterances: 2}
pitch: {f0: dio}
results: {table: CLAIMS.md}
"""


def configured(folder: Path, name: str, runs: dict[str, Path], more: str = "") -> Any:
    text = (
        f"base: {ROOT}/recipes/tts/claims/conf/claims.yaml\nrun: {{dir: {name}}}\ncorpus: {{name: mini, title: Test}}\n"
    )
    systems = json.dumps({key: str(path) for key, path in runs.items()})
    path = folder / f"{name}.yaml"
    path.write_text(f"{text}systems: {systems}\n{QUICK.replace('CLAIMS.md', f'{name}.md')}{more}\n")
    return load_config(path, RECIPE.config)


def run(cfg: Any, **options: Any) -> None:
    run_recipe(RECIPE, cfg, RunOptions(**options), Console(file=io.StringIO()))


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return all_runs(tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="module")
def folder(runs: dict[str, Path]) -> Path:
    """A finished run of the recipe over all systems; `claims.md` beside it."""
    folder = runs["teacher"].parent
    run(configured(folder, "claims", runs, "causes: {speed_control: the model is random}"))
    return folder


def evidence(folder: Path, stage: str) -> Any:
    return json.loads((folder / "claims" / stage / f"{stage}.json").read_text())


def test_every_claim_is_a_row(folder: Path) -> None:
    text = (folder / "claims.md").read_text()
    assert text.startswith("# Claims: Test\n") and "stage `table`" in text
    rows = [line for line in text.splitlines() if "run.sh" in line and line.startswith("|")]
    assert len(rows) == len(CLAIMS)
    assert [claim.says for claim in CLAIMS] == [line.split(" | ")[0].removeprefix("| ") for line in rows]
    # Random models say nothing that a pitch tracker calls voiced at all speeds, and on a busy machine four steps of a
    # tiny model may be too short to be timed; everything else has a figure.
    silent = [line for line in rows if "not measured" in line]
    assert all("voiced" in line or "too short to be timed" in line for line in silent)
    assert "**no**; likely cause: the model is random" in text
    assert (folder / "claims" / "table" / "CLAIMS.md").read_text() == text


def test_the_report_has_its_pictures(folder: Path) -> None:
    page = (folder / "claims" / "table" / "report.html").read_text()
    for name in ("latency.png", "variation.png"):
        assert f'src="pictures/{name}"' in page
        assert (folder / "claims" / "table" / "pictures" / name).read_bytes().startswith(b"\x89PNG")
    assert "<b>no</b>; likely cause" in page and "**" not in page


def test_lengths_are_forced_and_everybody_is_timed(folder: Path) -> None:
    speed = evidence(folder, "speed")
    trained, slow = {"teacher", "fastspeech", "fastspeech2", "fastspeech2s"}, {"teacher_uncached", "teacher_published"}
    assert set(speed["ways"]) == trained | slow | {"fastspeech_published"}
    for name, parts in speed["ways"].items():
        counted = 1 if name in slow else 2
        assert {len(row["seconds"]) for row in parts["total"]["by_frames"].values()} == {counted}
        assert list(parts["total"]["by_frames"]) == ["20", "40"]
        assert bool(parts["mel"]["by_frames"]) == (name != "fastspeech2s")
    assert speed["networks"]["teacher"]["reduction"] == 1
    assert (
        speed["networks"]["teacher_published"]["layers"]
        == speed["networks"]["fastspeech_published"]["layers"]
        == [6, 6]
    )
    assert speed["warm_up"] == 1
    assert speed["threads"] == 2 and f"{speed['threads']} threads" in speed["device"]
    assert set(speed["one_thread"]) == set(speed["ways"]) - {"teacher_uncached"}
    assert all(list(parts["total"]["by_frames"]) == ["40"] for parts in speed["one_thread"].values())


def test_breaks_are_exact(folder: Path) -> None:
    for row in evidence(folder, "control")["systems"].values():
        assert row["breaks"] == row["breaks_exact"] > 0


def test_smoothed_targets_vary_less(folder: Path) -> None:
    varied = evidence(folder, "targets")["varied"]
    assert varied["distilled"]["within_phone"] < varied["recordings"]["within_phone"]
    assert varied["distilled"]["frames"] == varied["recordings"]["frames"]


def test_the_aligner_is_near_to_the_exact_times_of_the_corpus(folder: Path) -> None:
    errors = evidence(folder, "durations")["errors"]
    # espeak-ng's times are exact; an attention that was never trained looks anywhere.
    assert errors["aligner"]["phone_ms"] < 40 < errors["attention"]["phone_ms"]
    # Whole frames of 11.6 ms move a boundary by 5.8 ms at most.
    assert abs(errors["aligner"]["phone_ms"] - errors["aligner_in_frames"]["phone_ms"]) < 5.8


def test_seconds_of_the_records_are_added_up(folder: Path) -> None:
    parts = evidence(folder, "training")["parts"]
    assert {name: parts[name] for name in ("teacher", "targets", "fastspeech")} == {
        "teacher": 400.0,
        "targets": 50.0,
        "fastspeech": 100.0,
    }
    assert evidence(folder, "training")["systems"]["fastspeech"]["unit"] == "mse"


def test_steps_are_timed_where_a_run_can_be_repeated(folder: Path, runs: dict[str, Path]) -> None:
    found = evidence(folder, "training")
    assert list(found["steps_s"]) == ["fastspeech2"]  # the others are made up, without a configuration
    assert found["parts"]["fastspeech2"] == 4 * found["steps_s"]["fastspeech2"]
    record = RunFolder(runs["fastspeech2"]).read_record("train")
    assert record is not None
    assert abs(found["steps_s"]["fastspeech2"]) < record.seconds  # a step, not a training
    assert not list(folder.rglob("fastspeech2-*"))


def test_copies_of_recordings_are_nearest_in_energy(folder: Path) -> None:
    rows = evidence(folder, "pitch")["systems"]
    assert rows["copy synthesis"]["energy_mae"] < rows["fastspeech2"]["energy_mae"]
    assert rows["recordings"]["deviation"] > 0


def test_losses_are_in_one_unit(folder: Path) -> None:
    systems = evidence(folder, "ablation")["systems"]
    assert set(systems) == set(SYSTEMS) - {"teacher", "fastspeech2s"}
    assert {"own", "recording"} <= set(systems["fastspeech"]["valid"])
    assert {"own", "predicted"} <= set(systems["fastspeech2"]["valid"])
    # The real run's own validation: the same mean absolute error, by another way.
    neither = systems["fastspeech2_neither"]["valid"]
    assert neither["own"] == pytest.approx(neither["predicted"], abs=1e-6)


def test_the_losses_are_those_that_the_training_saw(folder: Path, runs: dict[str, Path]) -> None:
    history = [json.loads(line) for line in (runs["fastspeech2"] / "model" / "history.jsonl").read_text().splitlines()]
    best = min(row["mel"] for row in history if row["kind"] == "valid")
    ids = json.loads((runs["fastspeech2"] / "manifest" / "splits.json").read_text())["valid"]
    features = ItemStore(runs["fastspeech2"] / "features")
    lengths = [features.meta(id_)["n_frames"] for id_ in ids]
    store = ItemStore(folder / "claims" / "mel_losses")
    errors = [store.meta(f"fastspeech2--{id_}")["own"] for id_ in ids]
    # The loop averages over the frames of a batch.
    assert sum(n * e for n, e in zip(lengths, errors, strict=True)) / sum(lengths) == pytest.approx(best, rel=0.02)


def test_the_same_bytes_with_two_workers(folder: Path, runs: dict[str, Path]) -> None:
    two = configured(folder, "claims2", runs)
    run(two, only="systems")
    run(two, only="control", jobs=2)
    run(two, only="ablation", jobs=2)
    for name in ("systems", "controlled", "control", "mel_losses", "ablation"):
        files = [hash_files(folder / each / name) for each in ("claims", "claims2")]
        assert artifact_digest(files[0]) == artifact_digest(files[1]), name


def test_it_is_fresh_until_a_model_changes(folder: Path, runs: dict[str, Path]) -> None:
    cfg = configured(folder, "claims", runs, "causes: {speed_control: the model is random}")
    assert all(each.fresh for each in list_stages(RECIPE, cfg))
    (runs["fastspeech_fc"] / "logs").mkdir(exist_ok=True)
    (runs["fastspeech_fc"] / "logs" / "x.log").write_text("a stage was looked at")
    run(cfg, only="systems")
    assert all(each.fresh for each in list_stages(RECIPE, cfg))


def test_without_any_run_all_rows_say_why(tmp_path: Path) -> None:
    nothing = {name: tmp_path / "exp" / name for name in SYSTEMS if name != "teacher"}
    run(configured(tmp_path, "claims", nothing))
    text = (tmp_path / "claims.md").read_text()
    assert text.count("not measured: ") == len(CLAIMS)
    assert "not measured: there is no finished run of fastspeech" in text
    assert "not measured: systems.teacher is not given" in text


def test_a_students_run_lends_its_teacher(tmp_path: Path, runs: dict[str, Path]) -> None:
    from recipes.tts.claims.systems import finished

    (runs["fastspeech_gt"] / "teacher").symlink_to(runs["teacher"] / "model")
    cfg = configured(tmp_path, "claims", {"fastspeech": runs["fastspeech_gt"]})
    found = finished(cfg.systems)
    assert list(found) == ["teacher", "fastspeech"]
    assert found["teacher"].model().kind == "transformer"
    (runs["fastspeech_gt"] / "teacher").unlink()


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.parents[2].name)
def test_shipped_configurations_load(path: Path) -> None:
    cfg: Any = load_config(path, RECIPE.config)
    corpus = path.parents[2].name
    assert cfg.recipe == RECIPE.name and cfg.corpus.name == corpus
    assert cfg.run.dir == ROOT / "exp" / corpus / "claims"
    assert cfg.results.table == path.parents[1] / "CLAIMS.md"
    folders = [getattr(cfg.systems, name) for name in SYSTEMS]
    confs = [folder.relative_to(ROOT / "exp" / corpus) for folder in folders if folder is not None]
    assert all((path.parent / f"{conf}.yaml").is_file() for conf in confs), "run.sh cannot make what is compared"
    assert {"fastspeech", "fastspeech2", "transformer"} <= {conf.name for conf in confs}
    assert 560 in cfg.speed.frames, "the paper's length"


def test_kathleens_claims_are_about_all_systems_at_all_lengths() -> None:
    cfg: Any = load_config(ROOT / "egs/kathleen/tts1/conf/claims.yaml", RECIPE.config)
    assert None not in [getattr(cfg.systems, name) for name in SYSTEMS]
    assert cfg.speed.frames == (100, 200, 400, 560, 800)


def test_configurations_were_found() -> None:
    assert [path.parents[2].name for path in SHIPPED] == ["kathleen", "ljspeech", "mini"]


def test_a_cause_of_no_row_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigErrors, match=r"causes\.weather"):
        configured(tmp_path, "claims", {}, "causes: {weather: rain}")


def test_stages_say_what_they_do() -> None:
    names = "systems speed robustness control targets durations training pitch ablation table".split()
    assert [stage.name for stage in RECIPE.stages] == names
    assert all((stage.function.__doc__ or "").strip() for stage in RECIPE.stages)
