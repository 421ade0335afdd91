"""The inverse-STFT recipe from recordings to a vocoder that speaks, on a few sentences of the mini corpus."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rich.console import Console
from safetensors.torch import save_file

from recipes.vocoder.istft import RECIPE
from speechkd.audio.io import read_audio
from speechkd.audio.presets import mel_preset
from speechkd.config import load_config
from speechkd.distill.store import TargetStore
from speechkd.errors import ConfigError
from speechkd.models.vocoder.config import HifiGanConfig, to_published_json
from speechkd.models.vocoder.files import shape_of
from speechkd.models.vocoder.hifigan import HifiGan
from speechkd.models.vocoder.istft import IstftVocoderNetwork
from speechkd.models.vocoder.istft_config import IstftConfig
from speechkd.models.vocoder.istft_store import load_istft, save_istft
from speechkd.models.vocoder.load import IstftVocoder, load_vocoder
from speechkd.models.vocoder.options import IstftOptions
from speechkd.runner import ItemStore, RunOptions, list_stages, run_recipe

pytest.importorskip("espeakng_loader", reason="speaks the mini corpus")

ROOT = Path(__file__).resolve().parents[3]
PRESET = mel_preset("hifigan_22k")
CONF = f"""
base: {ROOT}/recipes/vocoder/istft/conf/small.yaml
run: {{dir: run}}
corpora: [{{name: mini, limit: 6}}]
split: {{valid: 1, test: 1}}
model: {{channels: 8, expanded: 12, kernel: 3, input_kernel: 3, input_lookahead: 1, lookahead: [1, 0]}}
slices: {{frames: 12, valid_frames: 12}}
teacher: {{path: teacher, level_db: -3}}
augment: {{share: 0.5, copies: 1}}
adversarial:
  start_step: 2
  discriminators: {{period: {{periods: [2], divide: 32}}, spectral: {{channels: 2, strides: [2]}}}}
train:
  max_steps: 3
  batch_frames: 24
  schedule: {{warmup_steps: 1}}
  device: cpu
  precision: fp32
  threads: 1
  log_every_steps: 1
score: {{pesq: false, stoi: false}}
"""


class Bench:
    def __init__(self, folder: Path) -> None:
        self.folder, self.run_dir = folder, folder / "run"
        (folder / "teacher").mkdir()
        torch.manual_seed(0)
        small = IstftConfig(channels=8, expanded=8, lookahead=(1,), kernel=3)
        save_istft(folder / "teacher", IstftVocoderNetwork(small), shape_of(PRESET))

    def cfg(self, more: str = "") -> Any:
        path = self.folder / "conf.yaml"
        path.write_text(CONF + more, encoding="utf-8")
        return load_config(path, RECIPE.config)

    def run(self, cfg: Any) -> str:
        out = io.StringIO()
        run_recipe(RECIPE, cfg, RunOptions(), Console(file=out, width=200))
        return out.getvalue()


@pytest.fixture(name="bench", scope="module")
def _bench(tmp_path_factory):
    bench = Bench(tmp_path_factory.mktemp("istft_run"))
    bench.run(bench.cfg())
    return bench


def test_every_stage_is_fresh(bench):
    states = list_stages(RECIPE, bench.cfg())
    assert [state.name for state in states] == [
        "prepare", "extract", "pitch", "predict", "targets", "train", "infer", "score", "results"
    ]  # fmt: skip
    assert {state.state for state in states} == {"fresh"}


def test_the_teacher_spoke_a_changed_copy_of_every_training_clip(bench):
    store, mels = TargetStore.open(bench.run_dir / "targets"), ItemStore(bench.run_dir / "mels")
    clips = {id_.split("@")[0] for id_ in store.ids}
    assert len(clips) == 4 and set(store.ids) == {f"{clip}@0" for clip in clips}
    for clip in clips:
        answer, length = store.arrays(f"{clip}@0"), len(mels.array(clip, "mel"))
        assert answer["samples"].shape == (len(answer["f0_hz"]), 256) and len(answer["f0_hz"]) != length


def test_the_vocoder_loads_and_made_the_copies(bench):
    vocoder = load_vocoder(IstftOptions(path=bench.run_dir / "vocoder"), PRESET.name)
    assert isinstance(vocoder, IstftVocoder) and vocoder.generator.config.channels == 8
    copy = next((bench.run_dir / "samples" / "copy").glob("*.wav"))
    mel = torch.from_numpy(ItemStore(bench.run_dir / "mels").array(copy.stem, "mel"))[None]
    expected = vocoder(mel)[0].numpy()
    found = read_audio(copy).samples
    np.testing.assert_allclose(found, np.clip(expected, -1, 1)[: len(found)], atol=2e-3)


def test_without_a_teacher_only_what_depends_on_it_runs_again(bench):
    silent = "distill: {mel: 0, stft: 0, pitch: 0}\n"
    path = bench.folder / "conf.yaml"
    text = (CONF + silent).replace("path: teacher, ", "path: null, ")
    path.write_text(text, encoding="utf-8")
    changed = load_config(path, RECIPE.config)
    states = {state.name: state.state for state in list_stages(RECIPE, changed)}
    assert (states["extract"], states["pitch"], states["predict"]) == ("fresh", "fresh", "fresh")
    assert (states["targets"], states["train"]) == ("stale", "stale")


def test_fine_tuning_starts_from_a_vocoder(bench, monkeypatch):
    """One step at a tiny rate stays near where it began."""
    monkeypatch.chdir(bench.folder)
    path = bench.folder / "tuned.yaml"
    path.write_text(CONF, encoding="utf-8")
    settings = ["run.dir=tuned", "run.base=run", "init.path=run/vocoder", "init.discriminators=run/discriminators"]
    settings += ["train.max_steps=1", "train.optimizer.learning_rate=1e-6", "adversarial.start_step=1"]
    bench.run(load_config(path, RECIPE.config, settings))
    before, after = (load_istft(bench.folder / name / "vocoder")[0].state_dict() for name in ("run", "tuned"))
    assert 0 < max(float((before[name] - after[name]).abs().max()) for name in before) < 1e-4
    table = (bench.folder / "tuned/results/RESULTS.md").read_text()
    assert "started from: vocoder, SHA-256" in table
    assert "--set init.path=vocoder --set teacher.path=teacher`" in table


@pytest.mark.parametrize(
    ("settings", "words"),
    [(["init.path=run/vocoder", "model.expanded=16"], "expanded is 12 there and 16 here"),
     (["init.path=hifigan"], "no inverse-STFT vocoder")],
)  # fmt: skip
def test_what_training_cannot_start_from_is_said(bench, monkeypatch, settings, words):
    monkeypatch.chdir(bench.folder)
    if not (bench.folder / "hifigan").exists():
        (bench.folder / "hifigan").mkdir()
        config = HifiGanConfig(
            upsample_rates=(8, 8, 4), upsample_kernel_sizes=(16, 16, 8), upsample_initial_channel=8,
            resblock_kernel_sizes=(3,), resblock_dilation_sizes=((1,),),
        )  # fmt: skip
        save_file(HifiGan(config).state_dict(), bench.folder / "hifigan/generator.safetensors")
        (bench.folder / "hifigan/config.json").write_text(json.dumps(to_published_json(config, shape_of(PRESET))))
    path = bench.folder / "tuned.yaml"
    path.write_text(CONF, encoding="utf-8")
    cfg = load_config(path, RECIPE.config, ["run.dir=other", "run.base=run", *settings])
    with pytest.raises(ConfigError, match=words):
        bench.run(cfg)
