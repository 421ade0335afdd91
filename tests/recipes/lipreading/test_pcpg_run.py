"""The recipe end to end on clips of shapes: it learns them by heart, and continues with every objective."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from recipes.lipreading.pcpg import RECIPE
from recipes.lipreading.pcpg.evaluate import read_sentences
from speechkd.errors import ConfigError
from speechkd.models.lipreading.load import load_reader
from speechkd.runner import list_stages
from tests.recipes.lipreading.talking import TALKING, TEXTS, clip, configured, run

ARMS = {
    "ce": ["objective={name: ce}"],
    "terminal": ["objective={name: terminal, baseline: moving_average}"],
    "reward_to_go": ["objective={name: reward_to_go, baseline: greedy, reward: prefix_increment}"],
    "pcpg": ["objective={name: pcpg, kernel: 3, stride: 2, reward: prefix, normalise: true}"],
    "constant": ["objective={name: pcpg, kernel: 2, weight: 0.3, match_norm: false, baseline: none}"],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished training with cross-entropy."""
    folder = tmp_path_factory.mktemp("lips")
    run(folder, "start", "train.max_steps=200", "train.valid_every_steps=100", "train.checkpoint_every_steps=100")
    return folder


@pytest.fixture(scope="module")
def arms(folder: Path) -> Path:
    """Every objective from there."""
    for name, settings in ARMS.items():
        run(folder, name, f"init={{path: {folder}/start/model}}", f"results.label={name}", *settings)
    return folder


def scores(run_folder: Path) -> Any:
    return json.loads((run_folder / "decoded/scores.json").read_text())


def test_it_learns_a_few_clips_by_heart_and_reads_them(folder: Path) -> None:
    rows = read_sentences(folder / "start/decoded")
    assert [row["beam"] for row in rows] == [row["greedy"] for row in rows] == list(TEXTS)
    found = scores(folder / "start")
    assert found["systems"]["beam"] == {"cer": 0.0, "cer_mean": 0.0, "wer": 0.0, "wer_mean": 0.0, "right": 1.0}
    assert (found["length"], found["ended"], found["bias"]) == (1.0, 1.0, 0.0)


def test_the_model_folder_reads_frames(folder: Path) -> None:
    reading = load_reader(folder / "start/model").read(clip("cab"))
    assert reading.text == "cab"
    assert reading.words[0].confidence > 0.5


def test_every_objective_continues_from_there(arms: Path) -> None:
    start = load_file(arms / "start/model/model.safetensors")
    for name in ARMS:
        model = arms / name / "model"
        changed = load_file(model / "model.safetensors")
        assert any(not np.array_equal(start[key], changed[key]) for key in start), name
        rows = [json.loads(line) for line in (model / "history.jsonl").read_text().splitlines()]
        assert ("policy" in rows[0]) == (name != "ce")
        assert (model / "norms.json").exists() == (name not in ("ce", "constant"))
        assert {"loss", "cer", "forced_cer", "reward", "length", "ended"} <= set(rows[-1]), "R4: lengths are watched"
        assert scores(arms / name)["systems"]["greedy"]["cer"] < 0.5


def test_r16_batch_statistics_are_left_alone(arms: Path) -> None:
    start = load_file(arms / "start/model/model.safetensors")
    for name in ARMS:
        changed = load_file(arms / name / "model/model.safetensors")
        running = [key for key in start if "running" in key]
        assert running and all(np.array_equal(start[key], changed[key]) for key in running), name


def test_the_table_prints_both_definitions_and_the_cost_of_a_step(arms: Path) -> None:
    table = (arms / "RESULTS.md").read_text()
    assert "CER, total | CER, mean | WER, total | WER, mean" in table
    for name in ("tiny", *ARMS):
        assert f"## {name}\n" in table
    assert "times a step of cross-entropy and a pass of drawing" in table
    assert (arms / "pcpg/results/report.html").read_text().count("<td>clip") == len(TEXTS)


def test_the_parts_of_a_step_are_timed(arms: Path) -> None:
    timing = json.loads((arms / "pcpg/timing/timing.json").read_text())
    parts = {name: timing[name] for name in ("ce_step", "policy_step", "encoder", "drawing", "reward")}
    assert all(seconds > 0 for seconds in parts.values())
    assert timing["encoder"] < timing["ce_step"] < timing["policy_step"] > timing["drawing"] > timing["reward"]
    assert timing["ratio"] == pytest.approx(timing["policy_step"] / (timing["ce_step"] + timing["drawing"]))


def test_another_beam_reads_again_and_trains_not(arms: Path) -> None:
    settings = (f"init={{path: {arms}/start/model}}", "results.label=pcpg", *ARMS["pcpg"])
    cfg = configured(arms, "pcpg", (*settings, "decode.beam=2"))
    states = {status.name: status.text for status in list_stages(TALKING, cfg)}
    assert states["train"] == states["throughput"] == "fresh"
    assert states["evaluate"].startswith("stale: decode.beam 5")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["objective={name: pcpg}"], "init.path"),
        (["loss.ctc=0.3"], "model.ctc"),
        (["model.ctc=true"], "loss.ctc"),
        (["objective={name: pcpg, samples: 1}", "init={path: x}"], "at least 2"),
        (["objective={name: pcpg, kernel: 1, stride: 2}", "init={path: x}"], "stride"),
    ],
)
def test_what_cannot_work_is_said_before_anything_runs(tmp_path: Path, settings: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        configured(tmp_path, "run", settings)


def test_a_start_of_another_size_is_refused(folder: Path) -> None:
    with pytest.raises(ConfigError, match="model.dropout"):
        run(folder, "other", f"init={{path: {folder}/start/model}}", "model.dropout=0.4")


def test_the_recipe_is_found_by_its_name() -> None:
    assert [each.name for each in RECIPE.stages] == ["prepare", "crops", "train", "evaluate", "throughput", "results"]
