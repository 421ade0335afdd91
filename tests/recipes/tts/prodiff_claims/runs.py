"""Runs to measure ProDiff's claims on: all of them real, on a few sentences of two voices, trained for a few steps."""

from __future__ import annotations

import importlib
import io
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import soundfile
from rich.console import Console

from recipes.tts.common.corpora.mini import speak_mini_corpus
from speechkd.config import load_config
from speechkd.runner import RunOptions, run_recipe

ROOT = Path(__file__).resolve().parents[4]
N_SENTENCES = 7
FFT = {"layers": 1, "heads": 1, "conv_channels": 16, "conv_kernel": 3}
NETWORK = {"hidden": 16, "encoder": FFT, "predictor": {"channels": 8}}
DENOISER = {"layers": 2, "channels": 16}
TRAIN = {
    "max_steps": 4, "schedule": {"name": "cosine", "warmup_steps": 1}, "batch_frames": 1500, "log_every_steps": 2,
    "valid_every_steps": 2, "checkpoint_every_steps": 4, "device": "cpu", "precision": "fp32", "threads": 1,
}  # fmt: skip
#: The first run, from which others on the same corpus take over what they share.
FIRST = "teacher"
#: The long chain of the toys.
CHAIN = 8


def speak_corpora(folder: Path) -> None:
    """Two voices, `ann` and `ben`, who say the same sentences, ben at half the level; and exact times of both."""
    (folder / "ann").mkdir(parents=True)
    speak_mini_corpus(folder / "ann", N_SENTENCES)
    (folder / "ann" / "TextGrid").rename(folder / "TextGrid")
    lines = (folder / "ann" / "metadata.csv").read_text().replace("MINI-", "BEN-")
    (folder / "ben" / "wavs").mkdir(parents=True)
    (folder / "ben" / "metadata.csv").write_text(lines)
    for path in sorted((folder / "ann" / "wavs").iterdir()):
        samples, rate = soundfile.read(path)
        name = path.stem.replace("MINI-", "BEN-")
        # A voice of another colour: the difference of neighbouring samples lifts what is high.
        samples[1:] -= 0.9 * samples[:-1].copy()
        soundfile.write(folder / "ben" / "wavs" / f"{name}.wav", samples, rate, subtype="PCM_16")
        shutil.copy(folder / "TextGrid" / f"{path.stem}.TextGrid", folder / "TextGrid" / f"{name}.TextGrid")


@dataclass(frozen=True)
class Runs:
    """Where the corpora are, and the runs beside them."""

    folder: Path

    def run(self, name: str, recipe: str, corpus: str, until: str = "infer", **sections: object) -> Path:
        """A run of this name on `ann`, `ben` or both; returns its folder."""
        alone, corpora = corpus != "both", self.folder / "corpora"
        told: dict[str, object] = {
            "recipe": recipe,
            "run": {"dir": name, "base": FIRST if corpus == "ann" and name != FIRST else None},
            "corpus": {"name": "own", "dir": str(corpora / corpus)} if alone else
                      {"name": "joined", "dir": str(corpora), "options": {"folders": "ann,ben"}},
            "split": {"valid": 2, "test": 2} if alone else {"valid": 4, "test": 4},
            "align": {"backend": "given", "folder": str(corpora / "TextGrid")},
            "vocoder": {"type": "griffinlim", "n_iter": 2}, "score": {"recogniser": False}, "pack": {"name": "x"},
            "train": TRAIN,
        }  # fmt: skip
        path = self.folder / f"{name}.yaml"
        path.write_text(json.dumps(told | sections))
        loaded = importlib.import_module("recipes." + recipe.replace("/", ".")).RECIPE
        run_recipe(loaded, load_config(path, loaded.config), RunOptions(stop_stage=until), Console(file=io.StringIO()))
        return self.folder / name


def all_runs(folder: Path) -> dict[str, Path]:
    """One run of every system."""
    runs = Runs(folder)
    speak_corpora(folder / "corpora")
    model = NETWORK | {"denoiser": DENOISER}

    def prodiff(name: str, corpus: str = "ann", until: str = "infer", **sections: object) -> Path:
        return runs.run(name, "tts/prodiff", corpus, until, model=model, slices={"frames": 32}, **sections)

    found = {FIRST: prodiff(FIRST, until="score")}
    taught = {"diffusion": {"steps": 2}, "teacher": {"model": "teacher/model"}}
    found["student"] = prodiff("student", until="score", **taught)
    found["direct"] = prodiff("direct", diffusion={"steps": 2})
    found["generator"] = prodiff("generator", diffusion={"steps": CHAIN})
    found["gradient"] = prodiff("gradient", diffusion={"steps": CHAIN, "parameterisation": "gradient"})
    decoder = {"decoder": FFT}
    found["fastspeech2"] = runs.run("fastspeech2", "tts/fastspeech2", "ann", "score", model=NETWORK | decoder)
    found["joined"] = prodiff("joined", "both")
    found["second"] = prodiff("second", "ben")
    return found
