"""A tiny run of the whole FastSpeech 2s recipe: from text to a voice that speaks without a vocoder."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from recipes.tts.common.corpora.mini import speak_mini_corpus
from recipes.tts.common.infer import SYSTEMS
from recipes.tts.fastspeech2s import RECIPE
from speechkd.config import load_config
from speechkd.runner import ItemStore, RunOptions, list_stages, run_recipe

ROOT = Path(__file__).resolve().parents[3]
N_UTTERANCES = 6
FFT = "{layers: 1, heads: 1, conv_channels: 16, conv_kernel: 3}"


class Bench:
    def __init__(self, folder: Path) -> None:
        self.folder, self.run_dir = folder, folder / "run"
        (folder / "conf.yaml").write_text(
            f"""
base: {ROOT}/egs/mini/tts1/conf/fastspeech2s.yaml
run: {{dir: run, base: null}}
corpus: {{limit: {N_UTTERANCES}}}
split: {{valid: 1, test: 2}}
align: {{backend: given, folder: mini/TextGrid}}
model: {{hidden: 16, encoder: {FFT}, decoder: {FFT}, predictor: {{channels: 8}},
        waveform: {{channels: 4, blocks: 2, cycle: 2}}}}
adversarial: {{start_step: 3}}
train: {{max_steps: 4, schedule: {{warmup_steps: 2}}, log_every_steps: 2, valid_every_steps: 2,
        checkpoint_every_steps: 2, device: cpu, precision: fp32}}
vocoder: {{type: griffinlim, n_iter: 2}}
results: {{table: RESULTS.md, label: toy}}
"""
        )

    def cfg(self, *overrides: str) -> Any:
        return load_config(self.folder / "conf.yaml", RECIPE.config, overrides)

    def states(self, *overrides: str) -> dict[str, str]:
        return {status.name: status.text for status in list_stages(RECIPE, self.cfg(*overrides))}


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """A finished run."""
    pytest.importorskip("espeakng_loader")
    bench = Bench(tmp_path_factory.mktemp("recipe2s"))
    (bench.folder / "mini").mkdir()
    speak_mini_corpus(bench.folder / "mini", N_UTTERANCES)
    run_recipe(RECIPE, bench.cfg(), RunOptions(), Console(file=io.StringIO(), width=200))
    return bench


def test_the_history_tells_of_the_game(bench: Bench) -> None:
    rows = [json.loads(line) for line in (bench.run_dir / "model" / "history.jsonl").read_text().splitlines()]
    train = [row for row in rows if row["kind"] == "train"]
    assert "adversarial" not in train[0] and {"adversarial", "discriminator", "spectral"} <= train[1].keys()
    assert all(np.isfinite(value) for row in rows for value in row.values() if isinstance(value, float))


def test_samples_are_a_hop_per_frame_and_scored_beside_the_recording(bench: Bench) -> None:
    test = json.loads((bench.run_dir / "manifest/splits.json").read_text())["test"]
    store = ItemStore(bench.run_dir / "samples")
    for id_ in test:
        arrays = store.arrays(id_)
        assert arrays["mel_predicted"].shape == (arrays["durations_predicted"].sum(), 80)
        assert arrays["mel_true_durations"].shape == arrays["mel_recording"].shape
    for system in SYSTEMS:
        assert len(list((bench.run_dir / "samples" / system).iterdir())) == len(test)
    scores = json.loads((bench.run_dir / "scores/scores.json").read_text())
    assert scores["copy"]["mcd_dtw_db"] < scores["predicted"]["mcd_dtw_db"]


def test_the_voice_speaks_without_a_vocoder(bench: Bench) -> None:
    from speechkd.synthesis import load_voice

    folder = bench.run_dir / "voice"
    assert json.loads((folder / "voice.json").read_text())["vocoder"] == {"type": "none"}
    assert not (folder / "vocoder.safetensors").exists()
    assert "| vocoder | none |" in (folder / "card.md").read_text(encoding="utf-8")
    voice = load_voice(folder)
    speech = voice.synthesize("Hello there.")
    assert [word.text for word in speech.words] == ["hello", "there"]
    assert len(speech.samples) == round(speech.phones[-1].end_s * 22_050) and len(speech.samples) % 256 == 0
    assert np.isfinite(speech.samples).all() and 0 < np.abs(speech.samples).max() <= 1
    np.testing.assert_array_equal(voice.synthesize("Hello there.").samples, speech.samples)
    assert len(voice.synthesize("Hello there.", speed=0.5).samples) > len(speech.samples)


def test_the_table_says_that_there_is_no_vocoder(bench: Bench) -> None:
    table = (bench.folder / "RESULTS.md").read_text(encoding="utf-8")
    assert "## toy, no vocoder" in table


@pytest.mark.parametrize(
    ("override", "first"),
    [("slices.frames=16", "train"), ("adversarial.start_step=2", "train"), ("model.waveform.channels=6", "train"),
     ("spectral.weight=2", "train"), ("train.opponent.clip_norm=2", "train"), ("audio.loudness_dbfs=-22", "extract")],
)  # fmt: skip
def test_a_change_goes_no_further_up_than_it_must(bench: Bench, override: str, first: str) -> None:
    assert set(bench.states().values()) == {"fresh"}
    assert next(name for name, text in bench.states(override).items() if text != "fresh") == first
