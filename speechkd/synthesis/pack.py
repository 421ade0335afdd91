"""Packing a voice: everything that speaking needs, in one folder."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from torch import Tensor, nn

from speechkd.audio.mel import MelPreset, mel_preset
from speechkd.errors import ConfigError, UsageError
from speechkd.models.tts.interface import makes_samples
from speechkd.models.vocoder.files import shape_of
from speechkd.models.vocoder.griffinlim import GriffinLim
from speechkd.models.vocoder.load import HifiGanVocoder, IstftVocoder, NetworkVocoder, Vocoder
from speechkd.runner.digests import file_digest
from speechkd.synthesis import manifest as files
from speechkd.synthesis.files import write_text
from speechkd.synthesis.manifest import (
    GriffinLimPart,
    HifiGanPart,
    IstftPart,
    NoVocoderPart,
    OnnxPart,
    VoiceManifest,
    VoiceSource,
)
from speechkd.text import SymbolTable

_CAN_BE_PACKED = "Use HiFi-GAN, an inverse-STFT vocoder or Griffin-Lim"


def pack_voice(
    folder: Path,
    *,
    name: str,
    acoustic: Any,
    vocoder: Vocoder | None,
    symbols: SymbolTable,
    mel_preset_name: str,
    card: str,
    lexicon: Mapping[str, Sequence[str]] | None = None,
    language: str = "en-us",
    day_first: bool = False,
    source: VoiceSource | None = None,
    half: bool = False,
    onnx: bool = False,
    int8: bool = False,
) -> VoiceManifest:
    """Write a voice into `folder`, which must be empty or absent; voice.json comes last, so half a voice is none.

    `acoustic` is a `speechkd.models.tts.interface.AcousticModel`; with one that makes samples goes no `vocoder`.
    `lexicon` holds the words that the voice pronounces in its own way. `half` rounds the weights to half precision, in
    which they take half the room; they are computed with in single precision. `onnx` adds onnx graphs, made of the same
    weights, `int8` with 8-bit matrices in the decoder. The same arguments give the same bytes. Raises ConfigError where
    the parts do not fit together.
    """
    preset = mel_preset(mel_preset_name)
    _check_fit(acoustic, vocoder, len(symbols), preset)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError("a voice is packed into an empty folder", where=str(folder), why="it is not empty")
    if half:
        acoustic, vocoder = _rounded(acoustic), _rounded_vocoder(vocoder)
    folder.mkdir(parents=True, exist_ok=True)
    graphs = _graphs(folder, acoustic, vocoder, int8) if onnx or int8 else None
    _save_weights(acoustic, folder / files.ACOUSTIC_NAME, half)
    if isinstance(vocoder, NetworkVocoder):
        _save_weights(vocoder.generator, folder / files.VOCODER_NAME, half)
    write_text(folder / files.SYMBOLS_NAME, _json(symbols.to_json()))
    write_text(folder / files.LEXICON_NAME, _lexicon_text(lexicon or {}))
    write_text(folder / files.CARD_NAME, card if card.endswith("\n") else card + "\n")
    manifest = VoiceManifest(
        name=name,
        language=language,
        day_first=day_first,
        sample_rate=preset.sample_rate,
        mel=files.MelPart(preset=preset.name, shape=shape_of(preset)),
        acoustic=files.AcousticPart(model=acoustic.kind, config=acoustic.config.model_dump(mode="json")),
        vocoder=_vocoder_part(vocoder),
        onnx=graphs,
        source=source or VoiceSource(),
        files={path.name: file_digest(path) for path in sorted(folder.iterdir())},
    )
    write_text(folder / files.MANIFEST_NAME, manifest.to_text())
    return manifest


def _check_fit(acoustic: Any, vocoder: Vocoder | None, n_symbols: int, preset: MelPreset) -> None:
    if makes_samples(acoustic) != (vocoder is None):
        why = "its model makes samples" if vocoder else f"a {acoustic.kind} model makes mels"
        raise ConfigError(f"the voice {'has a' if vocoder else 'needs a'} vocoder", why=why)
    if vocoder is not None and vocoder.mel_preset_name != preset.name:
        why = f"the acoustic model makes {preset.name}, the vocoder reads {vocoder.mel_preset_name}"
        raise ConfigError("the parts of the voice have different mel presets", why=why)
    fits = (
        ("n_symbols", n_symbols, "symbol table"),
        ("n_mels", preset.n_mels, "mel preset"),
        ("hop_samples", preset.hop_samples, "mel preset"),
    )
    for key, expected, owner in fits:
        found = getattr(acoustic.config, key, expected)
        if found != expected:
            raise ConfigError(
                f"the acoustic model's {key} does not fit", why=f"the model has {found}, the {owner} {expected}"
            )


def _vocoder_part(vocoder: Vocoder | None) -> GriffinLimPart | HifiGanPart | IstftPart | NoVocoderPart:
    if vocoder is None:
        return NoVocoderPart()
    if isinstance(vocoder, HifiGanVocoder):
        return HifiGanPart(config=vocoder.generator.config, level_db=vocoder.level_db)
    if isinstance(vocoder, IstftVocoder):
        return IstftPart(config=vocoder.generator.config, level_db=vocoder.level_db)
    if isinstance(vocoder, GriffinLim):
        return GriffinLimPart(n_iter=vocoder.n_iter)
    raise ConfigError(f"a {type(vocoder).__name__} cannot be packed", todo=_CAN_BE_PACKED)


def _graphs(folder: Path, acoustic: Any, vocoder: Vocoder | None, int8: bool) -> OnnxPart:
    # The exporter takes seconds to import, and most voices are packed without it.
    from speechkd.synthesis.export.graphs import write_graphs

    return write_graphs(folder, acoustic, vocoder, int8=int8)


def _rounded(module: Any) -> Any:
    """A copy of a network whose weights are numbers of half precision, as single precision holds them."""
    copied = copy.deepcopy(module)
    rounded = {name: _half(tensor).to(tensor.dtype) for name, tensor in module.state_dict().items()}
    copied.load_state_dict(rounded)
    return copied


def _rounded_vocoder(vocoder: Vocoder | None) -> Vocoder | None:
    if not isinstance(vocoder, NetworkVocoder):
        return vocoder
    copied = copy.copy(vocoder)
    copied.generator = _rounded(vocoder.generator)
    return copied


def _half(tensor: Tensor) -> Tensor:
    if not tensor.is_floating_point():
        return tensor
    halved = tensor.half()
    if not bool(halved.isfinite().all()):
        raise ConfigError("the weights do not fit into half precision", todo="Pack the voice in single precision")
    return halved


def _save_weights(module: nn.Module, path: Path, half: bool) -> None:
    state = {name: tensor.detach().cpu() for name, tensor in module.state_dict().items()}
    if half:
        state = {name: _half(tensor) for name, tensor in state.items()}
    # Clones: safetensors refuses tensors that share memory, as tied weights do.
    save_file({name: tensor.contiguous().clone() for name, tensor in state.items()}, path)


def _json(data: dict[str, Any]) -> str:
    return json.dumps(data, sort_keys=True, ensure_ascii=False, indent=1) + "\n"


def _lexicon_text(lexicon: Mapping[str, Sequence[str]]) -> str:
    lines = [f"{word}  {' '.join(phones)}\n" for word, phones in sorted(lexicon.items())]
    return "# WORD  PHONES: pronunciations of this voice, before the CMU dictionary's\n" + "".join(lines)
