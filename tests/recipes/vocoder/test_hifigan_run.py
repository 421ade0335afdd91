"""A tiny run of the whole HiFi-GAN recipe over two corpora, with mels of a tiny FastSpeech 2, and a fine-tuned one."""

from __future__ import annotations

import io
import json
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from rich.console import Console

from recipes.tts.common.corpora.mini import speak_mini_corpus
from recipes.tts.common.predicted import AcousticRun
from recipes.tts.fastspeech2 import RECIPE as ACOUSTIC
from recipes.vocoder.hifigan import RECIPE
from speechkd.audio.io import read_audio
from speechkd.config import ConfigErrors, load_config
from speechkd.errors import ConfigError
from speechkd.metrics.speech import mel_l1
from speechkd.models.tts.load import load_model
from speechkd.models.vocoder.checkpoint import load_generator
from speechkd.models.vocoder.load import load_vocoder
from speechkd.models.vocoder.options import HifiGanOptions
from speechkd.runner import ItemStore, RunOptions, list_stages, run_recipe

ROOT = Path(__file__).resolve().parents[3]
N_UTTERANCES = 5
FFT = "{layers: 1, heads: 1, conv_channels: 16, conv_kernel: 3}"
TINY = """
model: {upsample_initial_channel: 8, resblock_kernel_sizes: [3], resblock_dilation_sizes: [[1]]}
slices: {frames: 8, valid_frames: 16}
losses: {stft: 0}
adversarial: {start_step: 3, discriminators: {period: {periods: [2], divide: 32}, scale: {scales: 1, divide: 32}}}
train: {max_steps: 4, batch_frames: 16, schedule: {warmup_steps: 1}, log_every_steps: 2, valid_every_steps: 2,
        checkpoint_every_steps: 2, device: cpu, precision: fp32, threads: 1}
score: {pesq: false, stoi: false}
"""


def execute(recipe: Any, cfg: Any, **options: Any) -> None:
    run_recipe(recipe, cfg, RunOptions(**options), Console(file=io.StringIO(), width=200))


class Bench:
    """Two corpora, `one` and `two`, the second the first three sentences of the first; a FastSpeech 2 of `one`."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.run_dir = folder, folder / "run"
        for name, count in (("one", N_UTTERANCES), ("two", 4)):
            (folder / name).mkdir()
            speak_mini_corpus(folder / name, count)
        self.write_acoustic()
        (folder / "conf.yaml").write_text(
            f"base: {ROOT}/egs/mini/vocoder1/conf/hifigan.yaml\n"
            "run: {dir: run}\ncorpora: [{name: one, dir: one, licence: CC0-1.0}, {name: two, dir: two}]\n"
            "split: {valid: 1, test: 1}\nmels: {predicted: acoustic/model, share: 0.5}\n"
            f"results: {{table: RESULTS.md, label: toy}}\n{TINY}"
        )

    def write_acoustic(self) -> None:
        (self.folder / "acoustic.yaml").write_text(
            f"base: {ROOT}/egs/mini/tts1/conf/fastspeech2.yaml\nrun: {{dir: acoustic}}\n"
            "corpus: {name: one, dir: one}\nsplit: {valid: 1, test: 1}\n"
            "align: {backend: given, folder: one/TextGrid}\n"
            f"model: {{hidden: 16, encoder: {FFT}, decoder: {FFT}, predictor: {{channels: 8}}}}\n"
            "train: {max_steps: 2, schedule: {warmup_steps: 1}, device: cpu, precision: fp32}\n"
        )
        execute(ACOUSTIC, load_config(self.folder / "acoustic.yaml", ACOUSTIC.config), stop_stage="train")

    def cfg(self, *overrides: str) -> Any:
        return load_config(self.folder / "conf.yaml", RECIPE.config, overrides)

    def states(self, *overrides: str) -> dict[str, str]:
        return {status.name: status.text for status in list_stages(RECIPE, self.cfg(*overrides))}

    def json(self, name: str) -> Any:
        return json.loads((self.run_dir / name).read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """A finished run."""
    pytest.importorskip("espeakng_loader")
    bench = Bench(tmp_path_factory.mktemp("hifigan"))
    execute(RECIPE, bench.cfg())
    return bench


def test_the_splits_are_those_of_the_acoustic_recipe(bench: Bench) -> None:
    theirs = json.loads((bench.folder / "acoustic/manifest/splits.json").read_text())
    assert bench.json("manifest/one/splits.json") == theirs
    ids = set(ItemStore(bench.run_dir / "mels").ids)
    assert ids == {f"one--MINI-00{i}" for i in range(1, 6)} | {f"two--MINI-00{i}" for i in range(1, 5)}


def test_mels_are_the_acoustic_recipes_and_predicted_ones_are_as_long(bench: Bench) -> None:
    mels, predicted = (ItemStore(bench.run_dir / name) for name in ("mels", "predicted"))
    features = ItemStore(bench.folder / "acoustic/features")
    assert set(predicted.ids) == {id_ for id_ in mels.ids if id_.startswith("one--")}
    for id_ in features.ids:
        np.testing.assert_array_equal(mels.array(f"one--{id_}", "mel"), features.array(id_, "mel"))
        made = predicted.array(f"one--{id_}", "mel")
        assert made.shape == features.array(id_, "mel").shape and np.isfinite(made).all()


def test_predicted_mels_are_of_the_true_durations(bench: Bench) -> None:
    """With pitch and energy of the model, exactly what it says itself; with the recording's, something else."""
    model_folder = bench.folder / "acoustic/model"
    free, forced = (AcousticRun(model_folder, flag) for flag in (False, True))
    features, model = ItemStore(bench.folder / "acoustic/features"), load_model(model_folder)
    spoken = ItemStore(bench.folder / "acoustic/spoken")
    symbols = json.loads((bench.folder / "acoustic/spoken/symbols.json").read_text())["symbols"]
    id_ = features.ids[0]
    tokens = torch.tensor([[symbols.index(each) for each in spoken.meta(id_)["symbols"]]])
    durations = torch.from_numpy(features.array(id_, "durations").astype(np.int64))[None]
    expected = model.infer(tokens, torch.tensor([tokens.shape[1]]), durations=durations).mel[0].numpy()
    np.testing.assert_allclose(free.mel(id_, 0), expected, atol=1e-5)
    assert mel_l1(forced.mel(id_, 0), expected) > 1e-4
    np.testing.assert_array_equal(
        forced.mel(id_, 0), ItemStore(bench.run_dir / "predicted").array(f"one--{id_}", "mel")
    )


def test_the_vocoder_is_a_folder_that_others_load(bench: Bench) -> None:
    folder = bench.run_dir / "vocoder"
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "generator.safetensors", "history.jsonl"]
    assert json.loads((folder / "config.json").read_text())["upsample_initial_channel"] == 8
    vocoder = load_vocoder(HifiGanOptions(path=folder), "hifigan_22k")
    id_ = bench.json("manifest/one/splits.json")["test"][0]
    mel = torch.from_numpy(ItemStore(bench.run_dir / "mels").array(f"one--{id_}", "mel"))[None]
    copy = read_audio(bench.run_dir / "samples/copy" / f"one--{id_}.wav").samples
    np.testing.assert_allclose(vocoder(mel)[0].numpy(), copy, atol=1 / 32767)


def test_the_history_tells_of_the_game_and_of_both_kinds_of_mels(bench: Bench) -> None:
    rows = [json.loads(line) for line in (bench.run_dir / "vocoder/history.jsonl").read_text().splitlines()]
    train, valid = ([row for row in rows if row["kind"] == kind] for kind in ("train", "valid"))
    assert "adversarial" not in train[0] and {"adversarial", "matching", "discriminator"} <= train[1].keys()
    assert {"mel_l1", "mel_l1_predicted", "loss"} <= valid[0].keys()


def test_every_held_out_clip_is_scored_and_shown(bench: Bench) -> None:
    scores = bench.json("scores/scores.json")
    assert scores["clips"] == 2 and scores["copy"]["clips"] == 2 and scores["copy_predicted"]["clips"] == 1
    rows = {id_: ItemStore(bench.run_dir / "scores").meta(id_) for id_ in ItemStore(bench.run_dir / "scores").ids}
    assert scores["copy"]["mel_l1"] == pytest.approx(np.mean([row["copy"]["mel_l1"] for row in rows.values()]))
    table = (bench.folder / "RESULTS.md").read_text(encoding="utf-8")
    assert "## toy\n" in table and "copy synthesis, from predicted mels" in table and "CC0-1.0" in table
    assert str(bench.folder) not in table and "egs/one/vocoder1/run.sh --set corpora.0.dir=CORPUS" in table
    report = (bench.run_dir / "results/report.html").read_text(encoding="utf-8")
    assert all(f"{folder}/{id_}.wav" in report for folder in ("recording", "copy") for id_ in rows)
    assert len(list((bench.run_dir / "results/pictures").glob("*.png"))) == 3


@pytest.mark.parametrize(
    ("override", "first"),
    [("losses.mel=30", "train"), ("slices.frames=9", "train"), ("mels.share=0.7", "train"),
     ("mels.variances=predicted", "predict"), ("mels.predicted=null", "predict"),
     ("audio.loudness_dbfs=-22", "extract"), ("score.stoi=true", "score"),
     ("corpora.1.limit=3", "prepare"), ("corpora.0.title=One", "results"),
     ("compare=[{label: itself, path: run/vocoder}]", "infer")],
)  # fmt: skip
def test_a_change_goes_no_further_up_than_it_must(
    bench: Bench, override: str, first: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(bench.folder)
    assert set(bench.states().values()) == {"fresh"}
    assert next(name for name, text in bench.states(override).items() if text != "fresh") == first


def test_fine_tuning_starts_from_a_generator_and_its_discriminators(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One step at a tiny rate stays near where it began; the stages before training are taken over."""
    monkeypatch.chdir(bench.folder)
    overrides = (
        "run.dir=tuned", "run.base=run", "init.path=run/vocoder", "init.discriminators=run/discriminators",
        "train.max_steps=1", "train.optimizer.learning_rate=1e-6", "adversarial.start_step=1",
        "compare=[{label: before, path: run/vocoder}, {label: V3-like, path: run/vocoder, level_db: -3}]",
    )  # fmt: skip
    execute(RECIPE, bench.cfg(*overrides))
    before, after = (load_generator(bench.folder / name / "vocoder")[0].state_dict() for name in ("run", "tuned"))
    differences = [float((before[name] - after[name]).abs().max()) for name in before]
    assert 0 < max(differences) < 1e-4
    assert "taken over" in (bench.folder / "tuned/logs/02_extract.log").read_text()
    scores = json.loads((bench.folder / "tuned/scores/scores.json").read_text())
    assert scores["compare_before"]["mel_l1"] == pytest.approx(scores["copy"]["mel_l1"], abs=1e-2)
    assert scores["compare_v3_like"]["mel_l1"] != scores["compare_before"]["mel_l1"]
    account = json.loads((bench.folder / "tuned/vocoder/start.json").read_text())
    table = (bench.folder / "tuned/results/RESULTS.md").read_text()
    assert account["name"] == "vocoder" and "started from: vocoder, SHA-256" in table
    again = shlex.split(next(line for line in table.splitlines() if "command" in line).split("`")[1])
    (compared,) = (word for word in again if word.startswith("compare="))
    assert yaml.safe_load(compared.removeprefix("compare=")) == [
        {"label": "before", "path": "vocoder", "level_db": 0}, {"label": "V3-like", "path": "vocoder", "level_db": -3},
    ]  # fmt: skip


def test_what_cannot_start_or_be_compared_is_said_first(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(bench.folder)
    with pytest.raises(ConfigError, match="resblock_kernel_sizes is"):
        execute(RECIPE, bench.cfg("init.path=run/vocoder", "run.dir=other", "run.base=run",
                                  "model.resblock_kernel_sizes=[5]"), stop_stage="train")  # fmt: skip
    with pytest.raises(ConfigError, match="another audio.loudness_dbfs"):
        execute(RECIPE, bench.cfg("run.dir=other", "audio.loudness_dbfs=-23"), stop_stage="predict")
    for override, words in (
        ("init.path=nowhere", "init.path"),
        ("mels.predicted=acoustic", "give the folder `model`"),
        ("compare=[{label: a/b, path: run/vocoder}]", r"compare\.0\.label"),
        ("compare=[{label: A b, path: run/vocoder}, {label: a-B, path: run/vocoder}]", r"compare\.1\.label"),
        ("corpora.1.name=one", r"corpora\.1\.name"),
        ("model.upsample_rates=[8, 8, 2]", r"model\.upsample_rates"),
        ("train.batch_frames=7", r"train\.batch_frames"),
    ):
        with pytest.raises(ConfigErrors, match=words):
            bench.cfg(override)
