"""Training a generator: what is the same whichever it is."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from recipes.tts.common.monitor import StageMonitor
from recipes.tts.common.recordings import Recordings
from recipes.vocoder.common.clips import Clips
from recipes.vocoder.common.dataset import SliceDataset, frames_of
from recipes.vocoder.common.task import VocoderTask
from speechkd.audio.presets import mel_preset
from speechkd.errors import ConfigError, StageError
from speechkd.models.vocoder.discriminators import make_discriminators
from speechkd.models.vocoder.files import files_of, the_weights
from speechkd.runner import Context, ItemStore
from speechkd.runner.digests import file_digest
from speechkd.training.loop import fit
from speechkd.training.seeds import derive_seed

HISTORY = "history.jsonl"
START = "start.json"
DISCRIMINATORS = "discriminators.safetensors"
MakeTask = Callable[[nn.Module, nn.Module, SliceDataset, tuple[Sequence[str], Sequence[str]], Any], VocoderTask]


def open_dataset(cfg: Any, ctx: Context) -> tuple[SliceDataset, dict[str, list[str]]]:
    """The slices behind the artifacts `mels` and `predicted`, and the ids of `train` and `valid` that have mels.

    StageError if one of the two parts has none.
    """
    clips, mels = Clips.read(ctx.input("manifest"), cfg.corpora), ItemStore(ctx.input("mels"))
    predicted = ItemStore(ctx.input("predicted"))
    known = set(mels.ids)
    splits = {part: [id_ for id_ in clips.splits[part] if id_ in known] for part in ("train", "valid")}
    for part, ids in splits.items():
        if not ids:
            raise StageError(f"no clip of {part} has a mel", where=str(mels.folder), todo="See the report of extract")
    paths = {id_: path for id_, path in clips if id_ in known}
    recordings = Recordings(paths, frames_of(mels, list(paths)), mel_preset(cfg.audio.mel), cfg.audio.loudness_dbfs)
    return SliceDataset(mels, recordings, predicted if len(predicted) else None, cfg.mels.share), splits


def train_generator(
    cfg: Any,
    ctx: Context,
    build: Callable[[], nn.Module],
    make_opponent: Callable[[Any], nn.Module] = make_discriminators,
    make_task: MakeTask = VocoderTask,
) -> dict[str, Tensor]:
    """Train what `build` makes against what `make_opponent` makes of `adversarial.discriminators`.

    Returns the weights that were kept. Writes the history into `vocoder`, and the weights of the discriminators after
    the last step into `discriminators`; and start.json, if it starts from another generator: the name of that one's
    file or folder, and its digest.
    """
    dataset, splits = open_dataset(cfg, ctx)
    torch.manual_seed(derive_seed(cfg.train.seed, purpose="weights"))
    if cfg.init.path is not None:
        ctx.log.info("starts from the generator %s", cfg.init.path)
        _write_start(cfg.init.path, ctx.output("vocoder"))
    generator, opponent = build(), make_opponent(cfg.adversarial.discriminators)
    if cfg.init.discriminators is not None:
        start_discriminators(opponent, cfg.init.discriminators)
    counts = [sum(p.numel() for p in module.parameters()) / 1e6 for module in (generator, opponent)]
    ctx.log.info("%.2f M parameters, and %.2f M in the discriminators", *counts)
    task = make_task(generator, opponent, dataset, (splits["train"], splits["valid"]), cfg)
    with StageMonitor(ctx, cfg.train.max_steps) as monitor:
        trained = fit(task, cfg.train, ctx.scratch, monitor)
    trained.write_history(ctx.output("vocoder") / HISTORY)
    save_discriminators(ctx.output("discriminators"), task.opponent)
    return trained.weights


def _write_start(path: Path, out: Path) -> None:
    digest = file_digest(the_weights(files_of(path), str(path)))
    account = {"name": path.name, "sha256": digest}
    (out / START).write_text(json.dumps(account, indent=1, sort_keys=True), encoding="utf-8")


def require_same_sizes(found: BaseModel, model: BaseModel, where: Path) -> None:
    """ConfigError naming the first size in which the generator that training starts from is another."""
    for name in type(model).model_fields:
        theirs, ours = getattr(found, name), getattr(model, name)
        if theirs != ours:
            why, todo = f"{name} is {theirs} there and {ours} here", "Give its sizes to the section model"
            raise ConfigError("the generator of init.path has other sizes", where=str(where), why=why, todo=todo)


def save_discriminators(folder: Path, discriminators: nn.Module) -> None:
    """Write what `start_discriminators` reads into an existing folder."""
    state = {name: value.detach().cpu().contiguous() for name, value in discriminators.state_dict().items()}
    save_file(state, folder / DISCRIMINATORS)


def start_discriminators(discriminators: nn.Module, folder: Path) -> None:
    """Give discriminators the weights of another run's. ConfigError where there are none, or of other sizes."""
    path = folder / DISCRIMINATORS
    try:
        discriminators.load_state_dict(load_file(path))
    except (OSError, SafetensorError, RuntimeError) as error:
        why = " ".join(str(error).split())[:300]
        todo = "Give the folder `discriminators` of a run with the same section adversarial.discriminators"
        raise ConfigError("discriminators cannot start from here", where=str(path), why=why, todo=todo) from error
