"""The recipe as it is shipped, and a quick run from the dictionary to the tables."""

from __future__ import annotations

import io
import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console

from recipes.tts.g2p import RECIPE
from recipes.tts.g2p.align import Tagged, frequent_tags
from recipes.tts.g2p.normaliser import score_normaliser
from recipes.tts.g2p.task import G2pTask, padded
from speechkd.config import load_config
from speechkd.models.g2p.config import G2pNetworkConfig
from speechkd.models.g2p.load import load_model
from speechkd.models.g2p.network import G2pNetwork
from speechkd.runner import RunOptions, list_stages, run_recipe
from speechkd.text.g2p import G2p

ROOT = Path(__file__).resolve().parents[4]
EGS = ROOT / "egs" / "cmudict" / "g2p1"
TINY = G2pNetworkConfig(hidden=16, layers=1, heads=2, inner=16, previous=4, decoder=16, dropout=0.0, forget=0.0)
TAGS = ("-", "AA1", "B", "D")


def test_the_shipped_configuration_loads() -> None:
    cfg: Any = load_config(EGS / "conf" / "g2p.yaml", RECIPE.config)
    assert cfg.recipe == RECIPE.name
    assert (cfg.split.valid, cfg.split.test) == (2000, 5000)
    assert cfg.results.table == EGS / "RESULTS.md" and cfg.pack.to is None
    lines = (EGS / "run.sh").read_text().splitlines()
    assert lines[0].startswith("#!") and len(lines) <= 10 and (EGS / "run.sh").stat().st_mode & 0o111


def test_stages_say_what_they_do() -> None:
    assert [stage.name for stage in RECIPE.stages] == ["prepare", "align", "train", "pack", "score", "results"]
    assert all((stage.function.__doc__ or "").strip() for stage in RECIPE.stages)


class Bench:
    """A tiny run of the whole recipe."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.run_dir = folder, folder / "run"
        (folder / "conf.yaml").write_text(
            f"""
base: {EGS}/conf/g2p.yaml
run: {{dir: run}}
split: {{limit: 1500, valid: 50, test: 100}}
align: {{rounds: 2, fewest: 2}}
model: {{hidden: 16, layers: 1, heads: 2, inner: 16, previous: 4, decoder: 16}}
train: {{max_steps: 6, schedule: {{warmup_steps: 2}}, log_every_steps: 2, valid_every_steps: 3,
        checkpoint_every_steps: 3, device: cpu, precision: fp32}}
score: {{speed_words: 20}}
pack: {{to: weights}}
results: {{table: RESULTS.md, label: toy}}
"""
        )

    def cfg(self) -> Any:
        return load_config(self.folder / "conf.yaml", RECIPE.config)

    def json(self, name: str) -> Any:
        return json.loads((self.run_dir / name).read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """A finished run."""
    bench = Bench(tmp_path_factory.mktemp("g2p"))
    run_recipe(RECIPE, bench.cfg(), RunOptions(), Console(file=io.StringIO(), width=200))
    return bench


def test_a_finished_run_is_fresh(bench: Bench) -> None:
    assert {status.text for status in list_stages(RECIPE, bench.cfg())} == {"fresh"}


def test_nothing_held_out_is_tagged(bench: Bench) -> None:
    splits = bench.json("dictionary/splits.json")
    assert {name: len(words) for name, words in splits.items()} == {"train": 1350, "valid": 50, "test": 100}
    tagged = {line.split("\t")[0] for line in (bench.run_dir / "tagged" / "tagged.tsv").read_text().splitlines()}
    assert tagged and not tagged & set(splits["test"])


def test_the_packed_weights_say_nearly_what_the_model_says(bench: Bench) -> None:
    """8-bit weights: the same tags, save for a few near ties of an untrained network."""
    packed = G2p.load(bench.run_dir / "packed" / "english_g2p.safetensors")
    model = load_model(bench.run_dir / "model")
    values = {name: value.numpy() for name, value in model.state_dict().items()}
    for name, value in packed.arrays.values.items():
        step = abs(values[name]).max(axis=-1, keepdims=True) / 127 if value.ndim == 2 else 1e-2
        assert (abs(value - values[name]) <= step * 0.51 + 1e-6).all(), name


def test_the_weights_are_copied_where_they_are_wanted(bench: Bench) -> None:
    for name in ("english_g2p.safetensors", "english_g2p.json"):
        assert (bench.folder / "weights" / name).read_bytes() == (bench.run_dir / "packed" / name).read_bytes()
    card = json.loads((bench.folder / "weights" / "english_g2p.json").read_text())
    assert card["recipe"] == "tts/g2p" and "BSD" in card["licence"]


def test_scores_and_tables(bench: Bench) -> None:
    scores = bench.json("scores/scores.json")
    network, rules = scores["systems"]["network"], scores["systems"]["letter rules"]
    for system in (network, rules):
        assert system["any"]["words"] == 100
        assert (
            system["any"]["word_accuracy"]
            >= system["first"]["word_accuracy"]
            >= system["first_stress"]["word_accuracy"]
        )
        assert system["any"]["phone_error"] <= system["any_stress"]["phone_error"]
        assert 0 < system["unfamiliar"]["words"] <= 100
    # Six steps teach nothing: the rules must be nearer.
    assert rules["any"]["phone_error"] < 0.25 < network["any"]["phone_error"]
    table = (bench.folder / "RESULTS.md").read_text(encoding="utf-8")
    assert f"{network['any']['phone_error']:.2%}" in table and f"{rules['any']['word_accuracy']:.2%}" in table
    assert "## toy" in table and "## text normaliser" in table
    rows = (bench.run_dir / "scores" / "words.tsv").read_text(encoding="utf-8").splitlines()
    assert len(rows) == 101 and all(len(row.split("\t")) == 5 for row in rows)


def test_the_normalisers_cases_are_counted() -> None:
    scores = score_normaliser()
    assert len(scores) > 3
    assert all(0 <= score["right"] <= score["cases"] for score in scores.values())
    assert sum(score["right"] for score in scores.values()) > 0


def toy_task(label_smoothing: float = 0.0) -> G2pTask:
    torch.manual_seed(0)
    train = [Tagged("bad", ("B", "AA1", "D")), Tagged("dabb", ("D", "AA1", "B", "-")), Tagged("ab", ("AA1", "B"))]
    valid = {"bad": [("B", "AA1", "D")], "abb": [("AA1", "B")]}
    return G2pTask(G2pNetwork(TINY, TAGS), TAGS, train, valid, 12, label_smoothing)


def test_the_loss_by_hand() -> None:
    """The mean of -log p over the letters of all words, padding left out."""
    task = toy_task()
    ids = list(task.examples)
    batch = task.load(ids)
    assert batch.letters.shape == (3, 6) and batch.tags.shape == (3, 4)
    task.model.eval()
    loss = task.losses(task.model, batch)["tag"].item()
    logits = task.model(batch.letters, batch.tags.clamp(min=0)).softmax(dim=-1)
    terms = [
        -math.log(logits[row, place, tag].item())
        for row, id_ in enumerate(ids)
        for place, tag in enumerate(task.examples[id_][1])
    ]
    assert len(terms) == 9
    assert loss == pytest.approx(sum(terms) / 9, rel=1e-5)


def test_every_example_once_an_epoch() -> None:
    task = toy_task()
    batches = task.epoch(1, 0)
    assert sorted(id_ for batch in batches for id_ in batch) == sorted(task.examples)


def test_a_tiny_network_learns_its_words() -> None:
    task = toy_task()
    optimizer = torch.optim.Adam(task.model.parameters(), lr=0.02)
    batch = task.load(list(task.examples))
    before = task.losses(task.model, batch)["tag"].item()
    for _ in range(60):
        optimizer.zero_grad()
        task.losses(task.model, batch)["tag"].backward()
        optimizer.step()
    task.model.eval()
    assert task.losses(task.model, batch)["tag"].item() < 0.05 < before
    assert task.say(task.model, ["bad", "dabb", "ab"], torch.device("cpu")) == [
        ("B", "AA1", "D"),
        ("D", "AA1", "B"),
        ("AA1", "B"),
    ]
    figures = task.validate(task.model, torch.device("cpu"))
    assert figures["word_error"] in (0.0, 0.5) and 0 <= figures["phone_error"] <= 1


def test_rare_tags_are_not_learnt() -> None:
    tagged = [Tagged("ab", ("AA1", "B"))] * 3 + [Tagged("x", ("K+S",))]
    assert frequent_tags(tagged, 2) == ["AA1", "B"]


def test_rows_are_padded() -> None:
    assert padded([[1, 2, 3], [4]], -100).tolist() == [[1, 2, 3], [4, -100, -100]]
