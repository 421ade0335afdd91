"""Clips in which every letter has a shape of its own for three frames, and the first stages made of them."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from recipes.lipreading.common.manifest import Clip, write_manifest
from recipes.lipreading.common.previews import INDEX
from recipes.lipreading.common.stages import crops as shared_crops
from recipes.lipreading.common.stages import prepare as shared_prepare
from recipes.lipreading.pcpg import RECIPE
from speechkd.config import load_config
from speechkd.runner import Context, Recipe, RunOptions, run_recipe, stage

TEXTS = ("ab", "ba", "cab", "bac", "a b", "c a", "b", "cb a")
TINY = """
recipe: lipreading/pcpg
run: {dir: RUN}
corpus: {name: talker}
model:
  frontend: {name: small, channels: [4, 6, 8], grid: [2, 3], features: 24}
  encoder: {hidden: 24, layers: 1}
  decoder: {hidden: 32, attention: 16, embedding: 8}
  crop: {height: 12, width: 16, mean: 0.3, deviation: 0.3}
  alphabet: "abc "
  dropout: 0.1
  max_characters: 8
augment: {flip: 0.0, shift_pixels: 0, mask_frames: 2}
train: {max_steps: 4, batch_frames: 48, device: cpu, precision: fp32, threads: 1, log_every_steps: 2,
        valid_every_steps: 2, checkpoint_every_steps: 2, schedule: {name: cosine, warmup_steps: 1},
        optimizer: {learning_rate: 3.0e-3}, best_by: cer}
throughput: {clips: 4, rounds: 1}
results: {table: RESULTS.md, label: tiny, title: shapes}
"""


def shapes() -> dict[str, np.ndarray]:
    """A frame of 12 x 16 for each letter."""
    draw = np.random.default_rng(7)
    return {letter: draw.integers(0, 160, (12, 16)).astype(np.uint8) for letter in "abc "}


def clip(text: str) -> np.ndarray:
    """(T, 12, 16): three frames a letter."""
    return np.concatenate([np.repeat(shapes()[letter][None], 3, axis=0) for letter in text])


@stage(outputs=("manifest",), uses=("corpus.name",))
def prepare(cfg: Any, ctx: Context) -> None:
    """Eight clips; what is tested is what was trained on."""
    out, ids = ctx.output("manifest"), [f"clip{i}" for i in range(len(TEXTS))]
    clips = [Clip(id_, "s", text, "") for id_, text in zip(ids, TEXTS, strict=True)]
    write_manifest(clips, {"train": ids, "valid": ids[:3], "test": ids}, {}, out)


@stage(inputs=("manifest",), outputs=("crops", "previews"), uses=("video",))
def crops(cfg: Any, ctx: Context) -> None:
    """Their frames."""
    with ctx.writer("crops") as writer:
        for i, text in enumerate(TEXTS):
            frames = clip(text)
            meta = {"n_frames": len(frames), "speaker": "s", "text": text, "fps": 25}
            writer.add(f"clip{i}", {"frames": frames}, meta)
    (ctx.output("previews") / INDEX).write_text('{"speakers": [], "films": []}')


TALKING = Recipe(
    name=RECIPE.name,
    config=RECIPE.config,
    stages=(prepare, crops, *RECIPE.stages[2:]),
    run_dir=RECIPE.run_dir,
    base=RECIPE.base,
)
assert [each.name for each in RECIPE.stages[:2]] == [shared_prepare.name, shared_crops.name]


def configured(folder: Path, name: str, overrides: Sequence[str] = ()) -> Any:
    """The configuration of the run of this name."""
    (folder / "tiny.yaml").write_text(TINY)
    return load_config(folder / "tiny.yaml", RECIPE.config, [f"run.dir={folder / name}", *overrides])


def run(folder: Path, name: str, *overrides: str, **options: Any) -> str:
    """Run it; returns what stood on the console."""
    out = io.StringIO()
    run_recipe(TALKING, configured(folder, name, overrides), RunOptions(**options), Console(file=out, width=300))
    return out.getvalue()
