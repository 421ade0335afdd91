"""What `speechkd finetune` writes: the configuration of a run that goes on from a packed voice, for every kind of it.

Sizes, mel, language and vocoder are the voice's, the rest is a short and gentle version of the recipe's `small.yaml`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from speechkd.errors import ArtifactError
from speechkd.synthesis.manifest import LEXICON_NAME, MANIFEST_NAME, VoiceManifest
from speechkd.text import is_english

#: The sections that a student must share with its teacher, or the one's durations are not of the other's tokens.
SHARED_SECTIONS = ("corpus", "split", "text", "audio", "align", "features")
# A fifth of the rate at which the small voices are trained: large enough for a new voice within some hundred steps,
# small enough not to forget what the old one knows of words that the new recordings lack.
_LEARNING_RATE = 2e-4
# A discriminator is no part of a voice: it starts from nothing, as late as in `small.yaml`, at the full rate.
_OPPONENTS_RATE = 5e-4
_GAME_FROM = 7 / 9
# The layers that `small.yaml` guides, from the last.
_GUIDED_LAYERS = (-2, -1)


@dataclass(frozen=True)
class Kind:
    """A kind of acoustic model: its recipe, the steps of a training by default, its own sections for so many steps."""

    recipe: str
    steps: int
    sections: Callable[[VoiceManifest, int], dict[str, Any]]


@dataclass(frozen=True)
class Teacher:
    """A trained Transformer TTS: the folder `model` of its run, and the configuration of that run."""

    model: Path
    content: Mapping[str, Any]

    @property
    def run(self) -> Path:
        """The folder of its run."""
        return self.model.parent

    def sections(self) -> dict[str, Any]:
        """What a student takes over, so that everything before the training is the same, and need not be repeated."""
        run = {"base": os.path.abspath(self.run), "max_errors": self.content["run"].get("max_errors", 0)}
        return {"run": run, **{name: self.content[name] for name in SHARED_SECTIONS if name in self.content}}


@dataclass(frozen=True)
class Request:
    """What a person asks for: a voice to start from, recordings (the section `corpus`), a run folder and its name."""

    manifest: VoiceManifest
    voice: Path
    corpus: Mapping[str, Any]
    folder: Path
    name: str
    steps: int
    speaker: str = ""
    teacher: Teacher | None = None


def configuration(request: Request, vocoder: Mapping[str, Any]) -> dict[str, Any]:
    """The whole configuration, with this section `vocoder`. ArtifactError for a voice that does not say its sizes."""
    manifest, kind = request.manifest, KINDS[request.manifest.acoustic.model]
    shared = request.teacher.sections() if request.teacher else _own_sections(request)
    model = str(request.teacher.model.absolute()) if request.teacher else ""
    level_db: float = getattr(manifest.vocoder, "level_db", 0.0)
    try:
        own = kind.sections(manifest, request.steps)
    except (KeyError, TypeError) as error:
        where = str(request.voice / MANIFEST_NAME)
        raise ArtifactError("the voice does not say how large its model is", where=where, why=repr(error)) from error
    return {
        "recipe": kind.recipe,
        **shared,
        "run": {"dir": os.path.abspath(request.folder), **shared.get("run", {})},
        "audio": {**shared["audio"], "vocoder_level_db": level_db},
        "vocoder": dict(vocoder),
        **({"teacher": {"model": model}} if model else {}),
        "init": {
            "voice": os.path.abspath(request.voice),
            **({"speaker": request.speaker} if request.speaker else {}),
        },
        **own,
        "pack": {"name": request.name},
        "results": {"label": f"fine-tuned from {manifest.name}"},
    }


def has_words(lexicon: Path) -> bool:
    """Whether a lexicon holds more than its heading."""
    if not lexicon.is_file():
        return False
    lines = lexicon.read_text(encoding="utf-8").splitlines()
    return any(line.strip() and not line.startswith("#") for line in lines)


def _own_sections(request: Request) -> dict[str, Any]:
    """The sections of everything before the training, for a run that shares them with no other."""
    manifest, lexicon = request.manifest, request.voice / LEXICON_NAME
    english = is_english(manifest.language)
    text: dict[str, Any] = {"language": manifest.language, "day_first": manifest.day_first}
    if english and has_words(lexicon):
        text["lexicon"] = os.path.abspath(lexicon)
    return {
        "corpus": dict(request.corpus),
        "text": text,
        "audio": {"mel": manifest.mel.preset},
        "align": {"backend": "pocketsphinx" if english else "mas"},
    }


def _train(steps: int, batch_frames: int, best_by: str) -> dict[str, Any]:
    every = max(1, steps // 10)
    return {
        "max_steps": steps,
        "batch_frames": batch_frames,
        "optimizer": {"learning_rate": _LEARNING_RATE, "betas": [0.9, 0.98], "weight_decay": 0.01},
        "schedule": {"name": "cosine", "warmup_steps": min(50, every), "floor": 0.02},
        "ema_decay": 0.99,
        "best_by": best_by,
        "valid_every_steps": every,
        "checkpoint_every_steps": every,
    }


def _fastspeech2(manifest: VoiceManifest, steps: int) -> dict[str, Any]:
    config = manifest.acoustic.config
    return {"model": config["network"], "augment": {"crop": 0.5}, "train": _train(steps, 4000, "mel")}


def _fastspeech2s(manifest: VoiceManifest, steps: int) -> dict[str, Any]:
    config = manifest.acoustic.config
    opponent = {"optimizer": {"learning_rate": _OPPONENTS_RATE, "betas": [0.9, 0.98]}}
    train = _train(steps, 2400, "last")
    # Not a cosine: when the game begins, both players must still be able to move.
    halved = {"decay": 0.5, "every_steps": max(1, steps // 3)}
    schedule = {"name": "exponential", "warmup_steps": train["schedule"]["warmup_steps"], **halved}
    return {
        "model": {**config["trunk"]["network"], "waveform": config["waveform"]},
        "augment": {"crop": 0.3},
        "slices": {"frames": 32, "per_batch": 8},
        "adversarial": {"start_step": max(1, round(steps * _GAME_FROM)), "discriminator": {"channels": 32}},
        "train": {**train, "schedule": schedule, "opponent": opponent},
    }


def _transformer(manifest: VoiceManifest, steps: int) -> dict[str, Any]:
    network = manifest.acoustic.config["network"]
    window, n_layers = network.get("window"), network["decoder"]["layers"]
    layers = window["layers"] if window else [layer for layer in _GUIDED_LAYERS if -layer <= n_layers]
    return {
        "model": network,
        "guide": {"by": "alignment", "weight": 0.3, "layers": layers},
        "augment": {
            "crop": 0.5, "input_noise": 0.2, "drop_frames": 0.2, "own_frames": 0.5, "clock_shift": 30, "clock_rate": 0.3
        },
        "train": _train(steps, 3000, "misfit"),
    }  # fmt: skip


def _fastspeech(manifest: VoiceManifest, steps: int) -> dict[str, Any]:
    return {"model": manifest.acoustic.config["network"], "train": _train(steps, 4000, "mel")}


#: Every kind of voice that can be fine-tuned. A teacher gets more steps: it learns to follow the text besides.
KINDS = {
    "fastspeech2": Kind("tts/fastspeech2", 500, _fastspeech2),
    "fastspeech2s": Kind("tts/fastspeech2s", 500, _fastspeech2s),
    "transformer": Kind("tts/transformer", 1000, _transformer),
    "fastspeech": Kind("tts/fastspeech", 500, _fastspeech),
}
