"""Training FastSpeech 2s."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from recipes.tts.common.dataset import TtsDataset
from recipes.tts.common.init import open_start
from recipes.tts.common.manifest import Manifest
from recipes.tts.common.origin import Account, source_of_run
from recipes.tts.common.recordings import Recordings
from recipes.tts.common.training import learn
from recipes.tts.fastspeech2.train import model_config
from recipes.tts.fastspeech2s.task import FastSpeech2sTask
from speechkd.audio.presets import MelPreset, mel_preset
from speechkd.config import diff
from speechkd.errors import ConfigError, DataError
from speechkd.models.tts.fastspeech2 import FastSpeech2
from speechkd.models.tts.fastspeech2s import FastSpeech2s
from speechkd.models.tts.fastspeech2s_config import FastSpeech2sConfig
from speechkd.models.tts.load import CONFIG, WEIGHTS, load_model
from speechkd.runner import Context
from speechkd.runner.digests import file_digest
from speechkd.training.seeds import derive_seed


def run(cfg: Any, ctx: Context) -> None:
    """Write `model`: model.json, model.safetensors, history.jsonl; started from other weights: transfer.json."""
    manifest, preset = Manifest.read(ctx.input("manifest")), mel_preset(cfg.audio.mel)
    dataset = TtsDataset(ctx.input("features"), ctx.input("spoken"), cfg.model.trunk(), manifest.speaker_numbers())
    if start := open_start(cfg.init):
        dataset.statistics = start.statistics(dataset.statistics)
    train, valid = dataset.learned_and_chosen_by(manifest.splits)
    recordings = _recordings(manifest, dataset, cfg, preset)
    _check_lengths(recordings.n_frames, train, valid, cfg.slices.frames, ctx)
    torch.manual_seed(derive_seed(cfg.train.seed, purpose="weights"))
    model = build(cfg, dataset, manifest.speakers, preset)
    account = start.fill(model, dataset.symbols, ctx.log) if start else None
    if cfg.init is not None and cfg.init.trunk is not None:
        account = start_trunk(model.trunk, cfg.init.trunk)
        ctx.log.info("the trunk starts from the weights of %s", cfg.init.trunk)
    if cfg.init is not None and cfg.init.freeze:
        model.freeze_trunk()
    counted = [sum(p.numel() for p in part.parameters()) / 1e6 for part in (model, model.waveform)]
    ctx.log.info("%.1f M parameters, %.1f M of them in the waveform decoder", *counted)
    task = FastSpeech2sTask(model, dataset, (train, valid), recordings, cfg)
    learn(ctx, task, cfg.train, account)


def build(cfg: Any, dataset: TtsDataset, speakers: Sequence[str], preset: MelPreset) -> FastSpeech2s:
    """The model of a configuration, for a corpus."""
    trunk = model_config(cfg.model.trunk(), dataset.symbols, dataset.statistics, speakers)
    config = FastSpeech2sConfig(
        trunk=trunk,
        waveform=cfg.model.waveform,
        hop_samples=preset.hop_samples,
        sample_rate=preset.sample_rate,
    )
    return FastSpeech2s(config)


def _recordings(manifest: Manifest, dataset: TtsDataset, cfg: Any, preset: MelPreset) -> Recordings:
    paths = {
        each.id: manifest.audio_path(each, cfg.corpus) for each in manifest.utterances if each.id in dataset.features
    }
    return Recordings(paths, dataset.n_frames(list(paths)), preset, cfg.audio.loudness_dbfs)


def _check_lengths(
    n_frames: Mapping[str, int], train: Sequence[str], valid: Sequence[str], least: int, ctx: Context
) -> None:
    """Tell how many utterances are too short for a slice; DataError if all are."""
    for name, ids in (("training", train), ("validation", valid)):
        short = sum(n_frames[id_] < least for id_ in ids)
        if short == len(ids):
            why = f"none of the {len(ids)} {name} utterances has {least} frames"
            raise DataError("there is nothing to cut slices from", why=why, todo="Use a smaller slices.frames")
        if short:
            ctx.log.warning("%d of %d %s utterances have fewer than %d frames: learned as mels only",
                            short, len(ids), name, least)  # fmt: skip


def start_trunk(trunk: FastSpeech2, folder: Path) -> Account:
    """Copy the weights of the FastSpeech 2 in `folder`; the trunk keeps its own corpus statistics and dropout.

    Returns the account of it, which names the weights by their digest and the recordings of the run that they are of.

    Raises ConfigError when there is none, or it is another kind of model, of another network, or of other symbols or
    speakers; ArtifactError when it cannot be read.
    """
    if not (folder / CONFIG).is_file():
        why, todo = f"no {CONFIG}", "Train it first, or give the folder `model` of a finished run of tts/fastspeech2"
        what = "there is no finished FastSpeech 2 to start from (init.trunk)"
        raise ConfigError(what, where=str(folder), why=why, todo=todo)
    model = load_model(folder)
    if model.kind != trunk.kind:
        raise ConfigError(f"init.trunk is a {model.kind} model", where=str(folder), todo="Give a FastSpeech 2")
    given: dict[str, Tensor] = model.state_dict()
    own = trunk.state_dict()
    networks = diff(model.config.network, trunk.config.network)
    wrong = [(f"model.{path}", there, here) for path, there, here in networks if not path.endswith("dropout")]
    shapes = ((name, _shape(given, name), _shape(own, name)) for name in sorted(given.keys() | own.keys()))
    wrong += [(name, there, here) for name, there, here in shapes if there != here]
    if wrong:
        why = "{} is {} there and {} here".format(*wrong[0])
        why += f", and {len(wrong) - 1} more differ" if len(wrong) > 1 else ""
        todo = "Give the sizes of its configuration to model, or leave init.trunk out"
        raise ConfigError("the weights of init.trunk do not fit", where=str(folder), why=why, todo=todo)
    trunk.load_state_dict(given)
    return Account({
        "voice": "",
        "source": source_of_run(folder).model_dump(mode="json"),
        "kind": model.kind,
        "weights_sha256": file_digest(folder / WEIGHTS),
        "statistics": "corpus",
        "speaker": "",
        "copied": [f"trunk.{name}" for name in sorted(given)],
    })  # fmt: skip


def _shape(weights: Mapping[str, Tensor], name: str) -> str:
    return "×".join(map(str, weights[name].shape)) if name in weights else "absent"
