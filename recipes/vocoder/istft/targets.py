"""The stage `targets`: the teacher speaks changed copies of every clip that is learned from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from recipes.vocoder.common.dataset import SliceDataset
from recipes.vocoder.common.train import open_dataset
from recipes.vocoder.istft.config import AugmentSection
from recipes.vocoder.istft.dataset import CopiesOfClips, answer_id
from recipes.vocoder.istft.plan import SPECS
from speechkd.audio.presets import mel_preset
from speechkd.distill.store import target_arrays, write_description
from speechkd.runner import Context, Item


@dataclass(frozen=True)
class Asking:
    """What a worker needs besides the copy of a clip."""

    dataset: SliceDataset
    augment: AugmentSection
    teacher: Path
    level_db: float
    mel_preset_name: str
    made_by: str  # the teacher's fingerprint


def run(cfg: Any, ctx: Context) -> None:
    """Write `targets`: the teacher's answer to each changed copy of each training clip; none, if it is not stored."""
    if cfg.teacher.path is None or cfg.teacher.source == "live":
        ctx.map(_speak, [], "targets")
        return
    from recipes.vocoder.istft.teacher import who_speaks

    dataset, splits = open_dataset(cfg, ctx)
    made_by = who_speaks(cfg.teacher.path, cfg.teacher.level_db)
    how = AugmentSection(**{name: getattr(cfg.augment, name) for name in AugmentSection.model_fields})
    asking = Asking(dataset, how, cfg.teacher.path, cfg.teacher.level_db, cfg.audio.mel, made_by)
    pairs = [(id_, str(number)) for id_ in splits["train"] for number in range(how.copies)]
    items = sorted((answer_id(*pair), pair) for pair in pairs)
    ctx.map(_speak, items, "targets", common=asking, max_errors=cfg.run.max_errors)
    write_description(ctx.output("targets"), [spec.by(made_by) for spec in SPECS], mels_digest(ctx), made_by)


def mels_digest(ctx: Context) -> str:
    """Of the mels that the teacher spoke."""
    return ctx.record("extract").outputs["mels"].digest


def _speak(_id: str, pair: tuple[str, str], asking: Asking) -> Item:
    import torch

    from recipes.vocoder.istft.teacher import said

    mel = CopiesOfClips(asking.dataset, asking.augment).mel(*pair)
    speaker = _speaker(asking.teacher, asking.level_db, asking.mel_preset_name, asking.made_by)
    with torch.inference_mode():
        answer = said(speaker, torch.from_numpy(mel)[None], mel_preset(asking.mel_preset_name))
    arrays = target_arrays(answer, [spec.by(asking.made_by) for spec in SPECS])
    return Item(arrays, {"n_frames": len(mel)})


@lru_cache(maxsize=1)
def _speaker(path: Path, level_db: float, mel_preset_name: str, made_by: str) -> Any:
    """The teacher with this fingerprint, once per process."""
    from recipes.vocoder.istft.teacher import open_speaker

    return open_speaker(path, level_db, mel_preset_name)
