"""The comparison of objectives on finished tiny runs, what it refuses, and the study of gradients."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rich.console import Console

from recipes.lipreading.compare import RECIPE
from recipes.lipreading.compare.collect import difference, refuse_unequal
from recipes.lipreading.compare.gradients import drawn_gradients, study_clip
from recipes.lipreading.compare.table import correlation, spread, summed, verdict
from recipes.lipreading.pcpg.dataset import ClipDataset
from speechkd.config import load_config
from speechkd.errors import ConfigError, StageError
from speechkd.losses.policy import policy_loss
from speechkd.metrics.edits import Difference
from speechkd.models.lipreading.load import load_model
from speechkd.models.lipreading.network import log_probability
from speechkd.runner import ItemStore, RunOptions, run_recipe
from tests.recipes.lipreading.talking import run

ARMS = {"ce": "objective={name: ce}", "pcpg": "objective={name: pcpg, kernel: 2}"}
CONFIG = """
recipe: lipreading/compare
run: {dir: compared}
corpus: {name: talker}
start: start
arms: {ce: cross-entropy, pcpg: "PCPG, k = 2"}
runs:
  - {arm: ce, path: ce-1}
  - {arm: ce, path: ce-2}
  - {arm: pcpg, path: pcpg-1}
  - {arm: pcpg, path: pcpg-2}
gradients: {clips: 2, samples: 8, kernels: [1, 2]}
bootstrap: {resamples: 200}
results: {table: RESULTS.md}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A start, and two seeds of two arms."""
    folder = tmp_path_factory.mktemp("arms")
    run(folder, "start", stop_stage="evaluate")
    for arm, objective in ARMS.items():
        for seed in (1, 2):
            settings = (f"init={{path: {folder}/start/model}}", f"train.seed={seed}", "train.max_steps=2", objective)
            run(folder, f"{arm}-{seed}", *settings, stop_stage="evaluate")
    (folder / "compare.yaml").write_text(CONFIG)
    return folder


def compare(folder: Path, *overrides: str) -> None:
    cfg = load_config(folder / "compare.yaml", RECIPE.config, overrides)
    run_recipe(RECIPE, cfg, RunOptions(), Console(file=io.StringIO()))


def test_the_table_has_the_arms_the_gauges_the_gradients_and_the_paper(folder: Path) -> None:
    compare(folder)
    table = (folder / "RESULTS.md").read_text(encoding="utf-8")
    assert "| cross-entropy, 2 seeds |" in table and "| PCPG, k = 2, 2 seeds |" in table
    for title in ("objectives", "objectives: gauges", "objectives: gradients", "objectives: published"):
        assert f"## {title}\n" in table
    assert "| GRID, WER | 11.2 % |" in table and "83.5 %" in table and "38.7 %" in table
    assert table.count("windows, k = ") == 2
    scores = [json.loads((folder / f"ce-{seed}/decoded/scores.json").read_text()) for seed in (1, 2)]
    expected = spread([each["systems"]["greedy"]["cer"] for each in scores])
    assert f"| cross-entropy, 2 seeds | {expected} |" in table
    assert (folder / "compared/table/report.html").is_file()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["train.max_steps=4"], "more than the objective: train"),
        (["train.max_steps=2", "augment.mask_frames=1"], "more than the objective: augment"),
        (["train.max_steps=2", "train.seed=1"], "same seed"),
    ],
)
def test_r17_unequal_arms_are_refused(folder: Path, settings: list[str], message: str) -> None:
    run(folder, "odd", f"init={{path: {folder}/start/model}}", "train.seed=3", *settings, stop_stage="evaluate")
    runs = f"[{{arm: ce, path: {folder}/ce-1}}, {{arm: ce, path: {folder}/odd}}, {{arm: pcpg, path: {folder}/pcpg-1}}]"
    with pytest.raises(StageError, match=message):
        compare(folder, f"runs={runs}", "run.dir=" + str(folder / "refused"))


def test_a_run_from_another_start_is_refused(folder: Path) -> None:
    with pytest.raises(StageError, match="another model than"):
        compare(folder, "start=" + str(folder / "ce-1"), "run.dir=" + str(folder / "refused"))


def test_runs_and_arms_must_fit(folder: Path) -> None:
    with pytest.raises(ConfigError, match="has no run"):
        compare(folder, "arms={ce: a, pcpg: b, other: c}")
    with pytest.raises(ConfigError, match="is none of the arms"):
        compare(folder, "baseline=best")


def made(edits: list[int], seed: int = 0) -> dict[str, Any]:
    """A run that read so many letters wrong in each sentence."""
    rows = [{"id": str(i), "text": "a" * 10, "greedy": "a" * (10 - n) + "b" * n} for i, n in enumerate(edits)]
    return {"arm": "x", "seed": seed, "sentences": rows, "steps": 1, "equal": {}}


def test_sentences_are_resampled_with_all_seeds_together() -> None:
    errors = summed([made([1, 3]), made([2, 3], seed=1)])
    assert errors.edits.tolist() == [1.5, 3.0] and errors.lengths.tolist() == [10, 10]


def test_a_verdict_needs_the_interval_and_every_seed() -> None:
    sure, unsure = Difference(-0.02, -0.03, -0.01, 0.0), Difference(-0.02, -0.05, 0.01, 0.2)
    better, mixed = {1: 0.1, 2: 0.1}, {1: 0.1, 2: 0.3}
    base = {1: 0.2, 2: 0.2}
    assert verdict(sure, better, base) == "better"
    assert verdict(unsure, better, base) == verdict(sure, mixed, base) == "no difference"
    assert verdict(Difference(0.1, 0.05, 0.2, 1.0), {1: 0.3, 2: 0.3}, base) == "worse"


def test_other_clips_are_noticed() -> None:
    keys = dict.fromkeys(("split", "video", "model", "augment", "curriculum", "loss", "train", "decode", "init"), 0)
    first, other = (made(edits) | {"equal": keys} for edits in ([1, 2], [1, 2, 3]))
    assert difference(first, other) == "they read other clips"
    with pytest.raises(StageError, match="other clips"):
        refuse_unequal([first, other])


def test_correlation_over_validations() -> None:
    rows = [{"cer": 0.5, "loss": 1.0, "reward": 0.5}, {"cer": 0.4, "loss": 1.2, "reward": 0.6}]
    assert correlation({"validations": rows}, "reward", -1.0) == pytest.approx(1.0)
    assert correlation({"validations": rows}, "loss", 1.0) == pytest.approx(-1.0)


def test_gradients_in_closed_form_equal_those_of_backpropagation(folder: Path) -> None:
    model = load_model(folder / "start/model")
    store = ItemStore(folder / "start/crops")
    batch = ClipDataset(store, store.ids[2:3], model.characters, model.config.crop).batch(store.ids[2:3])
    with torch.no_grad():
        drawn, inputs, slopes = drawn_gradients(model, batch, 5)
    weights = torch.randn(drawn.symbols.shape)
    found = torch.einsum("bst,bstv,bsth->vh", weights, slopes, inputs) / 5
    memory = model.encode(batch.frames, batch.lengths)
    logs = log_probability(model.score(memory, drawn.symbols), drawn.symbols)
    policy_loss(logs, weights).backward()
    assert model.decoder.out.weight.grad is not None
    assert torch.allclose(found, model.decoder.out.weight.grad, atol=1e-5)


def test_the_study_finds_the_sentences_return_nearest_to_its_reference(folder: Path) -> None:
    model = load_model(folder / "start/model")
    store = ItemStore(folder / "start/crops")
    batch = ClipDataset(store, store.ids[2:3], model.characters, model.config.crop).batch(store.ids[2:3])
    cfg = load_config(folder / "compare.yaml", RECIPE.config, ["gradients.samples=400", "gradients.kernels=[1, 30]"])
    torch.manual_seed(0)
    sums: dict[str, Any] = {}
    study_clip(model, batch, cfg.gradients, sums)
    found = {name: each.figures(sums["reference"]) for name, each in sums.items()}
    assert set(found) == {"reference", "sentence", "reward_to_go", "k1", "k30"}
    assert found["sentence"]["cosine"] > 0.9 > found["k1"]["cosine"]
    assert all(np.isfinite(each["variance"]) and each["variance"] > 0 for each in found.values())
