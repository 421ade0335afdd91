"""A small teacher and its student over a made-up corpus, in which every target carries its item's name."""

from __future__ import annotations

import json
import random
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from speechkd.config import Config, ConfigPath
from speechkd.distill.fingerprint import fingerprint
from speechkd.distill.objective import Objective, Term, TermSpec
from speechkd.distill.schedules import Weight
from speechkd.distill.store import target_arrays, write_description
from speechkd.distill.targets import Targets, TargetSpec
from speechkd.distill.teacher import LiveTeacher, Teacher
from speechkd.losses.masked import masked_mse
from speechkd.models.common.masks import length_mask
from speechkd.runner import Context, Item, Recipe, stage
from speechkd.training.options import AdamWOptions, CosineSchedule, TrainOptions

IDS = [f"item{i:02d}" for i in range(40)]
SPECS = (
    TargetSpec("mel", ("frame", "mel"), "float32"),
    TargetSpec("logits", ("class",), "float32"),
    TargetSpec("mark", (), "int64"),
)


def mark(item_id: str) -> int:
    """A number that tells items apart."""
    return zlib.crc32(item_id.encode())


@dataclass
class Batch:
    """ids; frames (B, F, 4), lengths (B,)."""

    ids: list[str]
    frames: Tensor
    lengths: Tensor

    def to(self, device: torch.device | str) -> Batch:
        return Batch(self.ids, self.frames.to(device), self.lengths.to(device))


def batch_of(ids: Sequence[str]) -> Batch:
    """Noise that depends on the id alone, 3 to 9 frames of it."""
    draws = [torch.Generator().manual_seed(mark(each)) for each in ids]
    rows = [torch.randn(3 + mark(each) % 7, 4, generator=draw) for each, draw in zip(ids, draws, strict=True)]
    lengths = torch.tensor([len(row) for row in rows])
    return Batch(list(ids), nn.utils.rnn.pad_sequence(rows, batch_first=True), lengths)


class Network(nn.Module):
    """frames (B, F, 4) → mel (B, F, 3), logits (B, 5). Has what differs between training and evaluation."""

    def __init__(self, width: int, seed: int) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.body = nn.Sequential(nn.Linear(4, width), nn.BatchNorm1d(width), nn.ReLU(), nn.Dropout(0.3))
        self.mel = nn.Linear(width, 3)
        self.logits = nn.Linear(width, 5)

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        mask = length_mask(batch.lengths, batch.frames.shape[1])
        hidden = self.body(batch.frames.flatten(0, 1)).unflatten(0, mask.shape) * mask.unsqueeze(-1)
        pooled = hidden.sum(dim=1) / batch.lengths.unsqueeze(-1)
        return {"mel": self.mel(hidden) * mask.unsqueeze(-1), "logits": self.logits(pooled)}


def save(folder: Path, model: Network, width: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.json").write_text(json.dumps({"width": width}))
    save_file(model.state_dict(), folder / "model.safetensors")


def load(folder: Path) -> Network:
    model = Network(json.loads((folder / "model.json").read_text())["width"], seed=0)
    model.load_state_dict(load_file(folder / "model.safetensors"))
    return model


def produce(model: Network, batch: Batch) -> Targets:
    """What the network says, and whom it is about."""
    return model(batch) | {"mark": torch.tensor([mark(each) for each in batch.ids])}


def live(folder: Path) -> LiveTeacher:
    """The teacher in a folder."""
    who = fingerprint(folder)
    return LiveTeacher(load(folder), produce, [spec.by(who) for spec in SPECS])


cached_live = lru_cache(maxsize=1)(live)


def target_of(item_id: str, item: Any, teacher: str) -> Item:
    """The targets of one item, in a worker."""
    found = cached_live(Path(teacher))
    return Item(target_arrays(found.targets(batch_of([item_id])), found.specs), {"n_frames": 3 + mark(item_id) % 7})


class RunPart(Config):
    dir: ConfigPath


class ToyConfig(Config):
    run: RunPart
    seed: int = 5
    n_items: int = len(IDS)


@stage(outputs=("manifest",), uses=("n_items",))
def prepare(cfg: Any, ctx: Context) -> None:
    (ctx.output("manifest") / "ids.json").write_text(json.dumps(IDS[: cfg.n_items]))


@stage(outputs=("teacher",), uses=("seed",))
def teach(cfg: Any, ctx: Context) -> None:
    save(ctx.output("teacher"), Network(16, cfg.seed), 16)


@stage(inputs=("manifest", "teacher"), outputs=("targets",))
def targets(cfg: Any, ctx: Context) -> None:
    ids = json.loads((ctx.input("manifest") / "ids.json").read_text())
    ctx.map(target_of, [(each, None) for each in ids], "targets", str(ctx.input("teacher")))
    who = fingerprint(ctx.input("teacher"))
    manifest = ctx.record("prepare").outputs["manifest"].digest
    write_description(ctx.output("targets"), [spec.by(who) for spec in SPECS], manifest, who)


TOY = Recipe("toy/distill", ToyConfig, (prepare, teach, targets), lambda cfg: cfg.run.dir)


class MixedUp(AssertionError):
    """A target belongs to another item."""


def mel_term(outputs: Mapping[str, Tensor], given: Targets, batch: Batch) -> Tensor:
    """Also compares the names on the targets with those of the batch."""
    if given["mark"].tolist() != [mark(each) for each in batch.ids]:
        raise MixedUp(batch.ids)
    return masked_mse(outputs["mel"], given["mel"], length_mask(batch.lengths, batch.frames.shape[1]))


def plain_term(outputs: Mapping[str, Tensor], given: Targets, batch: Batch) -> Tensor:
    return (outputs["logits"] - batch.lengths.unsqueeze(-1)).square().mean()


def kd_term(outputs: Mapping[str, Tensor], given: Targets, batch: Batch) -> Tensor:
    return (outputs["logits"] - given["logits"]).square().mean()


def objective(weight: Weight, mel_weight: Weight = 1.0) -> Objective:
    """A term that needs no teacher, and two that do."""
    return Objective(
        [
            Term(TermSpec("plain", "mean (z - F)²", ("logits",), batch=("lengths",)), plain_term),
            Term(TermSpec("mel", "mean (y - t)²", ("mel",), ("mel", "mark"), mel_weight), mel_term),
            Term(TermSpec("kd", "mean (z - t)²", ("logits",), ("logits",), weight), kd_term),
        ]
    )


class StudentTask:
    """A student for the training loop."""

    def __init__(self, loss: Objective, teacher: Teacher | Targets) -> None:
        self.model: nn.Module = Network(8, seed=11)
        self.loss, self.teacher = loss, teacher
        self.loaded: list[list[str]] = []

    def epoch(self, seed: int, epoch: int) -> list[list[str]]:
        order = list(IDS)
        random.Random(f"{seed}/{epoch}").shuffle(order)
        return [order[i : i + 6] for i in range(0, len(order), 6)]

    def load(self, ids: Sequence[str]) -> Batch:
        self.loaded.append(list(ids))
        return batch_of(ids)

    def losses(self, model: nn.Module, batch: Batch, step: int) -> Mapping[str, Tensor]:
        return self.loss.terms(model(batch), self.teacher, batch, step)

    def validate(self, model: nn.Module, device: torch.device) -> Mapping[str, float]:
        with torch.inference_mode():
            return {"loss": float(plain_term(model(batch_of(IDS[:8])), {}, batch_of(IDS[:8])))}


class PlainTask(StudentTask):
    """The same student as if distillation had never been thought of."""

    def __init__(self) -> None:
        super().__init__(objective(0.0), {})

    def losses(self, model: nn.Module, batch: Batch, step: int) -> Mapping[str, Tensor]:
        return {"plain": (model(batch)["logits"] - batch.lengths.unsqueeze(-1)).square().mean()}


class Killed(Exception):
    """Stands for kill -9."""


class Watch:
    """A monitor that counts the steps, and can kill the run at one."""

    def __init__(self, die_at: int = 0) -> None:
        self.steps: list[int] = []
        self.die_at = die_at

    def row(self, row: Mapping[str, Any]) -> None:
        pass

    def advance(self, step: int, loss: float) -> None:
        if loss == loss:
            self.steps.append(step)
            if step == self.die_at:
                raise Killed

    def message(self, text: str) -> None:
        pass


def options(**changes: Any) -> TrainOptions:
    values: dict[str, Any] = {
        "max_steps": 20, "optimizer": AdamWOptions(learning_rate=0.02), "schedule": CosineSchedule(warmup_steps=4),
        "device": "cpu", "precision": "fp32", "threads": 1, "log_every_steps": 3, "valid_every_steps": 5,
        "checkpoint_every_steps": 4,
    }  # fmt: skip
    return TrainOptions(**(values | changes))
