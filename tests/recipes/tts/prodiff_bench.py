"""Tiny ProDiffs on made-up features: what the tests of teacher and student share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import yaml

from recipes.tts.common.dataset import TtsDataset
from recipes.tts.prodiff import RECIPE
from recipes.tts.prodiff.distil import live_teacher, student_of
from recipes.tts.prodiff.task import ProDiffTask, StudentTask
from recipes.tts.prodiff.train import model_config
from speechkd.config import load_config
from speechkd.models.tts.prodiff import ProDiff
from tests.recipes.tts.features import TINY_NETWORKS, write_features

IDS = [f"u{number}" for number in range(4)]
SPLITS = (IDS[:3], IDS[3:])


class Bench:
    """Made-up features of four utterances, and the tasks that learn them."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.artifacts = folder, write_features(folder)

    def cfg(self, kind: str = "small", **changes: Any) -> Any:
        """A teacher's configuration; `changes` by section."""
        network = {name: value for name, value in TINY_NETWORKS[kind].items() if name != "decoder"}
        sections: dict[str, Any] = {
            "recipe": RECIPE.name, "run": {"dir": "run"}, "corpus": {"name": "own"}, "pack": {"name": "x"},
            "model": network | {"denoiser": {"layers": 2, "channels": 16}},
            "train": {
                "max_steps": 6, "batch_frames": 60, "schedule": {"name": "cosine", "warmup_steps": 1}, "device": "cpu",
                "precision": "fp32", "threads": 1, "valid_every_steps": 3, "checkpoint_every_steps": 2,
                "log_every_steps": 1, "ema_decay": 0.9, "optimizer": {"weight_decay": 0.01},
            },
        }  # fmt: skip
        for name, values in changes.items():
            sections[name] = sections.get(name, {}) | values
        path = self.folder / "conf.yaml"
        path.write_text(yaml.safe_dump(sections), encoding="utf-8")
        return load_config(path, RECIPE.config)

    def dataset(self, cfg: Any, speakers: dict[str, int] | None = None) -> TtsDataset:
        """The utterances, as a model of this configuration reads them."""
        return TtsDataset(*self.artifacts, cfg.model, speakers)

    def model(self, cfg: Any, names: tuple[str, ...] = ()) -> ProDiff:
        """A teacher as if it were trained: an untrained denoiser says nothing."""
        torch.manual_seed(0)
        data = self.dataset(cfg)
        made = ProDiff(model_config(cfg.model, cfg.diffusion, data.symbols, data.statistics, names))
        torch.nn.init.normal_(made.denoiser.output.weight, std=0.2)
        return made

    def task(self, cfg: Any = None) -> ProDiffTask:
        """The task of a teacher."""
        cfg = cfg or self.cfg()
        return ProDiffTask(self.model(cfg), self.dataset(cfg), SPLITS, cfg)

    def student(self, cfg: Any = None, teacher: ProDiff | None = None) -> StudentTask:
        """The task of a student. cfg: a teacher's, which the student shares but for its steps."""
        cfg = cfg or self.cfg()
        teacher = teacher or self.model(cfg)
        return StudentTask(student_of(teacher), self.dataset(cfg), SPLITS, cfg, live_teacher(teacher, "made by me"))
