"""A small recipe over numbers, for the runner's tests: also a program.

`toy.py CONFIG [--set a.b=c …] [--jobs N] [--executor E]`
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from speechkd.config import Config, ConfigPath, load_config
from speechkd.errors import DataError, SpeechkdError
from speechkd.runner import Context, Item, Output, Recipe, RunOptions, run_recipe, stage

ROOT = Path(__file__).resolve().parents[2]


class RunPart(Config):
    dir: ConfigPath
    base: ConfigPath | None = None


class CorpusPart(Config):
    dir: ConfigPath
    limit: int | None = None


class AlignPart(Config):
    backend: str = "pocketsphinx"
    bad: tuple[str, ...] = ()


class TrainPart(Config):
    steps: int = 5
    seed: int = 1


class ToyConfig(Config):
    run: RunPart
    corpus: CorpusPart
    align: AlignPart = AlignPart()
    train: TrainPart = TrainPart()
    pause_s: float = 0.0


@stage(outputs=("manifest",), uses=("corpus.limit",), external=("corpus.dir",))
def prepare(cfg: Any, ctx: Context) -> None:
    names = sorted(path.name for path in cfg.corpus.dir.iterdir())[: cfg.corpus.limit]
    (ctx.output("manifest") / "names.json").write_text(json.dumps(names))


def align_one(item_id: str, item: dict[str, Any], common: dict[str, Any]) -> Item:
    """A deterministic array per id; ids in `bad` fail as bad data, ids named kill/boom misbehave."""
    time.sleep(common["pause_s"])
    if item_id in common["bad"]:
        raise DataError("cannot be aligned")
    if "boom" in item_id:
        raise ValueError("a bug")
    if item_id.startswith("kill"):
        os.kill(os.getpid(), signal.SIGKILL)
    if item_id.startswith("once") and not (Path(common["work"]) / item_id).exists():
        (Path(common["work"]) / item_id).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    seed = sum(item_id.encode()) + len(common["backend"])
    values = np.random.default_rng(seed).standard_normal((7, 3)).astype(np.float32)
    return Item({"x": values, "n": np.arange(seed % 5)}, {"text": item["text"], "é": item_id})


@stage(inputs=("manifest",), outputs=("alignment",), uses=("align", "pause_s"))
def align(cfg: Any, ctx: Context) -> None:
    names = json.loads((ctx.input("manifest") / "names.json").read_text())
    common = {
        "bad": cfg.align.bad, "backend": cfg.align.backend, "pause_s": cfg.pause_s, "work": str(ctx.folder.path.parent),
    }  # fmt: skip
    max_errors = 2 if cfg.align.backend == "lenient" else 0
    ctx.map(align_one, [(name, {"text": name.upper()}) for name in names], "alignment", common, max_errors)


@stage(inputs=("alignment",), outputs=("model", Output("timing", volatile=True)), uses=("train", "pause_s"))
def train(cfg: Any, ctx: Context) -> None:
    store = ctx.store("alignment")
    checkpoint = ctx.scratch / "checkpoint.json"
    state = json.loads(checkpoint.read_text()) if checkpoint.exists() else {"step": 0, "sum": 0.0}
    with ctx.progress(cfg.train.steps, "train") as bar:
        for step in range(state["step"], cfg.train.steps):
            time.sleep(cfg.pause_s)
            ids = store.ids
            value = float(store.array(ids[step % len(ids)], "x").sum()) if ids else 0.0
            state = {"step": step + 1, "sum": state["sum"] * cfg.train.seed + value}
            temporary = checkpoint.with_suffix(".tmp")
            temporary.write_text(json.dumps(state))
            temporary.replace(checkpoint)
            bar.advance(1, loss=value)
    (ctx.output("model") / "model.json").write_text(json.dumps(state))
    (ctx.output("timing") / "time.json").write_text(json.dumps(time.time()))


@stage(inputs=("model", "manifest"), outputs=("results",))
def results(cfg: Any, ctx: Context) -> None:
    model = json.loads((ctx.input("model") / "model.json").read_text())
    (ctx.output("results") / "RESULTS.md").write_text(f"sum {model['sum']}\n")


TOY = Recipe(
    "toy/numbers", ToyConfig, (prepare, align, train, results), lambda cfg: cfg.run.dir, lambda cfg: cfg.run.base
)


def main(arguments: list[str]) -> int:
    """`speechkd run` in small."""
    overrides = [arguments[i + 1] for i, each in enumerate(arguments) if each == "--set"]
    jobs = int(arguments[arguments.index("--jobs") + 1]) if "--jobs" in arguments else 1
    executor = arguments[arguments.index("--executor") + 1] if "--executor" in arguments else "local"
    options = RunOptions(jobs=jobs, executor=executor)
    try:
        run_recipe(TOY, load_config(Path(arguments[0]), ToyConfig, overrides), options)
    except SpeechkdError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
