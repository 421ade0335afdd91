"""From a voice folder to a Voice."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from speechkd.errors import ArtifactError, SpeechkdError, missing_extra
from speechkd.synthesis import manifest as files
from speechkd.synthesis.manifest import HifiGanPart, NoVocoderPart, VoiceManifest, read_manifest, verify_files

if TYPE_CHECKING:
    from torch import nn

    from speechkd.audio.mel import MelPreset
    from speechkd.models.vocoder.load import Vocoder
    from speechkd.synthesis.voice import Voice
    from speechkd.text import Frontend

# Builds an acoustic model, still without its weights, from the numbers in voice.json.
AcousticBuilder = Callable[[Mapping[str, Any]], "nn.Module"]


def load_voice(path: Path | str, models: Mapping[str, AcousticBuilder] | None = None) -> Voice:
    """The voice in the folder `path`, ready to speak.

    Every file is checked against its digest first. Raises ArtifactError for a voice that is incomplete, changed,
    of an unknown format or at odds with this version's mel presets; ResourceError when torch is not installed.
    `models` adds acoustic models to the known ones.
    """
    folder = Path(path)
    manifest = read_manifest(folder)
    verify_files(folder, manifest)
    if find_spec("torch") is None:
        raise missing_extra("torch", "torch", "speaking")
    from speechkd.synthesis.voice import Voice
    from speechkd.text import SymbolTable

    preset = _preset_of(manifest, folder)
    try:
        symbols = SymbolTable.from_json(json.loads((folder / files.SYMBOLS_NAME).read_text(encoding="utf-8")))
        frontend = _frontend_of(manifest, folder)
    except (SpeechkdError, ValueError) as error:
        raise ArtifactError("the voice's text files are wrong", where=str(folder), why=str(error)) from error
    acoustic = _acoustic_of(manifest, folder, models or {})
    return Voice(manifest, acoustic, _vocoder_of(manifest, folder), symbols, frontend, preset)  # type: ignore[arg-type]


def _frontend_of(manifest: VoiceManifest, folder: Path) -> Frontend:
    """The text front end of the voice's language; English reads the voice's own words, too."""
    from speechkd.text import is_english, make_frontend

    lexicon = folder / files.LEXICON_NAME if is_english(manifest.language) else None
    return make_frontend(manifest.language, lexicon, day_first=manifest.day_first)


def _preset_of(manifest: VoiceManifest, folder: Path) -> MelPreset:
    """The mel preset by name, provided that its numbers are still those the voice was made with."""
    from speechkd.audio.mel import MEL_PRESETS
    from speechkd.models.vocoder.files import shape_of

    name = manifest.mel.preset
    preset = MEL_PRESETS.get(name)
    if preset is None or shape_of(preset) != manifest.mel.shape or preset.sample_rate != manifest.sample_rate:
        known = f"{name} is {shape_of(preset)} here" if preset else f"known are {', '.join(sorted(MEL_PRESETS))}"
        why = f"the voice was made with {name}: {manifest.mel.shape}, at {manifest.sample_rate} Hz; {known}"
        todo = "Pack the voice again with this version"
        raise ArtifactError("the voice's mel preset is not this version's", where=str(folder), why=why, todo=todo)
    return preset


def _acoustic_of(manifest: VoiceManifest, folder: Path, models: Mapping[str, AcousticBuilder]) -> nn.Module:
    from speechkd.models.tts.load import KINDS, build_model

    kind, config = manifest.acoustic.model, manifest.acoustic.config
    if kind not in {*KINDS, *models}:
        why = f"known are {', '.join(sorted({*KINDS, *models}))}"
        raise ArtifactError(f"unknown acoustic model {kind!r}", where=str(folder), why=why, todo="Update speechkd")
    path = folder / files.ACOUSTIC_NAME
    try:
        model = models[kind](config) if kind in models else build_model(kind, config)
        model.load_state_dict(_weights(path))
    except (ValidationError, RuntimeError) as error:
        why = " ".join(str(error).split())[:300]
        raise ArtifactError("the acoustic model does not fit its weights", where=str(path), why=why) from error
    return model.eval().requires_grad_(False)


def _vocoder_of(manifest: VoiceManifest, folder: Path) -> Vocoder | None:
    from speechkd.models.vocoder.checkpoint import build_generator
    from speechkd.models.vocoder.griffinlim import GriffinLim
    from speechkd.models.vocoder.load import HifiGanVocoder

    part = manifest.vocoder
    if isinstance(part, NoVocoderPart):
        return None
    if not isinstance(part, HifiGanPart):
        return GriffinLim(manifest.mel.preset, part.n_iter)
    path = folder / files.VOCODER_NAME
    shape = manifest.mel.shape
    if (part.config.hop_samples, part.config.n_mels) != (shape.hop_samples, shape.n_mels):
        why = f"the vocoder makes {part.config.hop_samples} samples of {part.config.n_mels} mels per frame, not {shape}"
        raise ArtifactError("the vocoder does not fit the mel preset", where=str(folder), why=why)
    try:
        generator = build_generator(part.config, _weights(path), str(path))
        return HifiGanVocoder(generator, manifest.mel.preset, part.level_db)
    except SpeechkdError as error:
        raise ArtifactError("the vocoder cannot be used", where=str(path), why=str(error)) from error


def _weights(path: Path) -> dict[str, Any]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise ArtifactError("weights cannot be read", where=str(path), why=str(error)) from error
