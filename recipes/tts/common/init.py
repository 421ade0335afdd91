"""Fine-tuning: training that starts from the weights of a packed voice.

This is another path than resuming: a resumed run restores its own optimiser, step and history from its checkpoints; a
fine-tuned one has all of these new and takes nothing but weights.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from recipes.tts.common.origin import Account
from speechkd.config import Config, ConfigPath
from speechkd.errors import ArtifactError
from speechkd.synthesis.manifest import (
    ACOUSTIC_NAME,
    SYMBOLS_NAME,
    VoiceManifest,
    read_manifest,
    verify_files,
)

if TYPE_CHECKING:
    from speechkd.features.statistics import Statistics
    from speechkd.models.tts.transfer import Transfer
    from speechkd.text import SymbolTable


class InitSection(Config):
    """What training starts from.

    Statistics are those of the corpus by default. All scales of the model (mel bands, log F0, energy, the bins of their
    embeddings) are relative to them: with the new speaker's own, "one deviation above the mean" is already right for
    her pitch and her microphone, and the weights need to learn the rest only. Take the voice's where the corpus is too
    small to measure its own, a minute or less, or where it is more of the same speaker.
    """

    voice: ConfigPath | None = Field(None, description="folder of a packed voice of the same kind and mel preset")
    statistics: Literal["corpus", "voice"] = Field("corpus", description="whose scales of mel, pitch and energy")
    speaker: str = Field(
        "", description="speaker of the voice from whom new speakers start; absent: from the mean of all"
    )

    def problems(self) -> Iterable[tuple[str, str]]:
        """A speaker of no voice."""
        if self.speaker and self.voice is None:
            yield "speaker", "is a speaker of init.voice, which is not given"


def init_problems(init: InitSection | None, kind: str, mel_preset_name: str) -> Iterable[tuple[str, str]]:
    """Why a configuration cannot start from its voice, by dotted path: known before anything has run."""
    if init is None or init.voice is None:
        return
    try:
        manifest = read_manifest(init.voice)
    except ArtifactError as error:
        yield "init.voice", str(error)
        return
    if manifest.acoustic.model != kind:
        yield "init.voice", f"a voice of another kind: {manifest.acoustic.model}, and this recipe trains {kind}"
        return
    if problem := weights_problem(manifest):
        yield "init.voice", problem
    if problem := _mel_problem(manifest, mel_preset_name):
        yield "init.voice", problem
    speakers = manifest.speakers
    if init.speaker and init.speaker not in speakers:
        known = f"its speakers: {', '.join(speakers)}" if speakers else "it has one speaker only"
        yield "init.speaker", f"the voice has no speaker {init.speaker!r}; {known}"


def weights_problem(manifest: VoiceManifest) -> str:
    """Why nothing can start from a voice of any kind; empty if something may."""
    if ACOUSTIC_NAME in manifest.files:
        return ""
    return "it holds onnx graphs alone, and no weights: start from the voice that it was exported from"


def _mel_problem(manifest: VoiceManifest, mel_preset_name: str) -> str:
    from speechkd.audio.presets import MEL_PRESETS
    from speechkd.models.vocoder.files import shape_of

    if manifest.mel.preset != mel_preset_name:
        return f"a voice of another mel preset: {manifest.mel.preset}, and audio.mel is {mel_preset_name}"
    if manifest.mel.shape != shape_of(MEL_PRESETS[mel_preset_name]):
        return f"the voice's mel preset {mel_preset_name} has other numbers than this version's: {manifest.mel.shape}"
    return ""


@dataclass(frozen=True)
class Start:
    """A voice to start from, opened and checked."""

    manifest: VoiceManifest
    model: Any  # its acoustic model, with weights
    symbols: tuple[str, ...]
    scales: Literal["corpus", "voice"]
    speaker: str

    def statistics(self, corpus: Statistics) -> Statistics:
        """The scales to train with. Of kinds that know no pitch and energy, those of the mel are the voice's."""
        if self.scales == "corpus":
            return corpus
        config = getattr(self.model.config, "trunk", self.model.config)
        own = getattr(config, "statistics", config)
        return replace(corpus, **{name: getattr(own, name) for name in vars(corpus) if hasattr(own, name)})

    def fill(self, model: Any, symbols: SymbolTable, log: logging.Logger) -> Account:
        """Give the weights of the voice to `model`, in place, and say what could not be given as it is."""
        from speechkd.models.tts.transfer import transfer_weights

        done = transfer_weights(model, self.model, symbols.symbols, self.symbols, self.speaker)
        n_tensors = len(model.state_dict())
        name, share = self.manifest.name, 100 * done.share
        log.info(
            "starts from voice %s: %d of %d tensors, %.1f %% of the values", name, len(done.copied), n_tensors, share
        )
        for note in done.notes:
            log.info("%s: %s (%s)", note.tensor, note.action, note.reason)
        if done.share < 0.5:
            log.warning("less than half of the model comes from the voice: give it the voice's sizes (section model)")
        return self._account(done)

    def _account(self, done: Transfer) -> Account:
        """The voice by its digest, its recordings and licence, and what became of every tensor."""
        return Account({
            "voice": self.manifest.name,
            "source": self.manifest.source.model_dump(mode="json"),
            "kind": self.manifest.acoustic.model,
            "weights_sha256": self.manifest.files[ACOUSTIC_NAME],
            "statistics": self.scales,
            "speaker": self.speaker,
            "values": {"given": done.n_given, "all": done.n_values},
            "copied": sorted(done.copied),
            "others": [vars(note) for note in sorted(done.notes, key=lambda note: note.tensor)],
        })  # fmt: skip


def open_start(init: Any) -> Start | None:
    """The voice that the section `init` names, if any. Raises ArtifactError for one that is damaged."""
    if init is None or init.voice is None:
        return None
    from speechkd.text import SymbolTable

    manifest = read_manifest(init.voice)
    verify_files(init.voice, manifest)
    table = SymbolTable.from_json(json.loads((init.voice / SYMBOLS_NAME).read_text(encoding="utf-8")))
    return Start(manifest, _acoustic(manifest, init.voice), table.symbols, init.statistics, init.speaker)


def _acoustic(manifest: VoiceManifest, folder: Path) -> Any:
    """The acoustic model alone: speaking, and with it the vocoder, is not asked for."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    from speechkd.models.tts.load import build_model

    path = folder / ACOUSTIC_NAME
    try:
        model = build_model(manifest.acoustic.model, manifest.acoustic.config)
        model.load_state_dict(load_file(path))
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        why = " ".join(str(error).split())[:300]
        raise ArtifactError("the voice's acoustic model cannot be read", where=str(path), why=why) from error
    return model
