"""From a voice folder to a Voice. Imports torch only for a voice that speaks with it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from speechkd.audio.presets import MEL_PRESETS, MelPreset
from speechkd.errors import ArtifactError, ResourceError, SpeechkdError, UsageError, missing_extra
from speechkd.models.vocoder.files import shape_of
from speechkd.synthesis import manifest as files
from speechkd.synthesis.engines.interface import ENGINES, Engine, EngineName
from speechkd.synthesis.find import choose_voice
from speechkd.synthesis.manifest import GriffinLimPart, VoiceManifest, read_manifest, verify_files
from speechkd.synthesis.voice import Voice
from speechkd.text import Frontend, SymbolTable, is_english, make_frontend

if TYPE_CHECKING:
    from speechkd.synthesis.engines.torch_engine import AcousticBuilder


def load_voice(
    path: Path | str | None = None,
    models: Mapping[str, AcousticBuilder] | None = None,
    *,
    engine: EngineName | Literal["auto"] = "auto",
    threads: int | None = None,
) -> Voice:
    """The voice in the folder `path`, ready to speak; without a path the one that `speechkd synthesize` would choose.

    `engine`: "onnx" runs the voice's onnx graphs with onnxruntime, "torch" its weights with torch; "auto" takes onnx
    where the voice has it and onnxruntime is installed, else torch. Both make the same speech. `threads`: how many may
    compute at a time (with torch: in the whole process); 2 unless given (with torch: all cores).

    Every file that is read is checked against its digest first. Raises ArtifactError for a voice that is incomplete,
    changed, of an unknown format or at odds with this version's mel presets; UsageError for an engine that the voice
    has no files for; ResourceError when the package that the engine needs is not installed. `models` adds acoustic
    models to those that torch can run.
    """
    folder = choose_voice(None) if path is None else Path(path)
    manifest = read_manifest(folder)
    chosen = choose_engine(manifest, folder, engine)
    verify_files(folder, manifest, manifest.onnx_files() if chosen == "onnx" else manifest.weight_files())
    _require(chosen)
    preset = _preset_of(manifest, folder)
    try:
        symbols = SymbolTable.from_json(json.loads((folder / files.SYMBOLS_NAME).read_text(encoding="utf-8")))
        frontend = _frontend_of(manifest, folder)
    except (SpeechkdError, ValueError) as error:
        raise ArtifactError("the voice's text files are wrong", where=str(folder), why=str(error)) from error
    return Voice(manifest, _engine(chosen, folder, manifest, models or {}, threads), symbols, frontend, preset)


def choose_engine(manifest: VoiceManifest, folder: Path, wanted: str = "auto") -> EngineName:
    """The engine that speaks: the one that is wanted, or the first of onnx and torch that can. Raises UsageError."""
    if wanted not in (*ENGINES, "auto"):
        raise UsageError(f"there is no engine {wanted!r}", todo=f"Choose auto, {' or '.join(ENGINES)}")
    if wanted == "onnx" and manifest.onnx is None:
        needs_torch = isinstance(manifest.vocoder, GriffinLimPart)
        why = "Griffin-Lim has no onnx form" if needs_torch else "it holds weights for torch alone"
        todo = "Leave the engine out, or use torch" if needs_torch else f"Type: speechkd export {folder}"
        raise UsageError(f"the voice {manifest.name} has no onnx graphs", where=str(folder), why=why, todo=todo)
    if wanted == "torch" and not manifest.has_weights:
        why = "it was exported without the weights that torch reads"
        raise UsageError(f"the voice {manifest.name} has no weights for torch", where=str(folder), why=why,
                         todo="Leave the engine out, or use onnx")  # fmt: skip
    if wanted == "auto":
        can_onnx = manifest.onnx is not None and (not manifest.has_weights or find_spec("onnxruntime") is not None)
        return "onnx" if can_onnx else "torch"
    return "onnx" if wanted == "onnx" else "torch"


def _require(engine: EngineName) -> None:
    """ResourceError unless the engine's package is installed."""
    if engine == "torch" and find_spec("torch") is None:
        raise missing_extra("torch", "torch", "speaking")
    if engine == "onnx" and find_spec("onnxruntime") is None:
        todo = "Type: pip install onnxruntime"
        raise ResourceError("speaking needs the package onnxruntime", why="it is not installed", todo=todo)


def _engine(
    name: EngineName,
    folder: Path,
    manifest: VoiceManifest,
    models: Mapping[str, AcousticBuilder],
    threads: int | None,
) -> Engine:
    if threads is not None and threads < 1:
        raise UsageError(f"threads is {threads}", todo="Give a number from 1")
    if name == "onnx":
        from speechkd.synthesis.engines.onnx_engine import load_onnx_engine

        return load_onnx_engine(folder, manifest, threads)
    from speechkd.synthesis.engines.torch_engine import load_torch_engine

    return load_torch_engine(folder, manifest, models, threads)


def _frontend_of(manifest: VoiceManifest, folder: Path) -> Frontend:
    """The text front end of the voice's language; English reads the voice's own words, too."""
    lexicon = folder / files.LEXICON_NAME if is_english(manifest.language) else None
    return make_frontend(manifest.language, lexicon, day_first=manifest.day_first)


def _preset_of(manifest: VoiceManifest, folder: Path) -> MelPreset:
    """The mel preset by name, provided that its numbers are still those the voice was made with."""
    name = manifest.mel.preset
    preset = MEL_PRESETS.get(name)
    if preset is None or shape_of(preset) != manifest.mel.shape or preset.sample_rate != manifest.sample_rate:
        known = f"{name} is {shape_of(preset)} here" if preset else f"known are {', '.join(sorted(MEL_PRESETS))}"
        why = f"the voice was made with {name}: {manifest.mel.shape}, at {manifest.sample_rate} Hz; {known}"
        todo = "Pack the voice again with this version"
        raise ArtifactError("the voice's mel preset is not this version's", where=str(folder), why=why, todo=todo)
    return preset
