"""Tiny random voices of every kind that has an onnx form, and their exports."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn

from speechkd.models.tts.load import build_model
from speechkd.models.vocoder.config import HifiGanConfig
from speechkd.models.vocoder.hifigan import HifiGan
from speechkd.models.vocoder.istft import IstftVocoderNetwork
from speechkd.models.vocoder.istft_config import IstftConfig
from speechkd.models.vocoder.load import HifiGanVocoder, IstftVocoder, Vocoder
from speechkd.synthesis import VoiceManifest, pack_voice
from speechkd.text import ENGLISH_SYMBOLS

PRESET = "hifigan_22k"
_STACK = {"layers": 1, "heads": 2, "conv_channels": 12, "conv_kernel": 5}
_STATISTICS = {
    "f0_min_hz": 80, "f0_max_hz": 400, "log_f0_mean": 5.0, "log_f0_deviation": 0.3, "energy_min": 0, "energy_max": 100,
    "energy_mean": 20, "energy_deviation": 10, "mel_mean": [-5.0] * 80, "mel_deviation": [2.0] * 80,
}  # fmt: skip
_PAUSES = ENGLISH_SYMBOLS.encode(["|", ",", ".", "?"])


def fastspeech2(
    pitch: dict[str, Any], energy: dict[str, Any], sees: bool = False, speakers: Any = (), hidden: int = 8,
    conv_channels: int = 12,
) -> nn.Module:  # fmt: skip
    """A FastSpeech 2 with these variances."""
    config = _trunk(pitch, energy, sees, speakers)
    stack = _STACK | {"conv_channels": conv_channels}
    config["network"] |= {"hidden": hidden, "encoder": stack, "decoder": stack}
    return _random(build_model("fastspeech2", config))


def fastspeech() -> nn.Module:
    """A FastSpeech."""
    config = {
        "network": {"hidden": 8, "encoder": _STACK, "decoder": _STACK, "predictor": {"channels": 8}},
        "n_symbols": len(ENGLISH_SYMBOLS), "n_mels": 80, "pause_ids": _PAUSES,
        "mel_mean": _STATISTICS["mel_mean"], "mel_deviation": _STATISTICS["mel_deviation"],
    }  # fmt: skip
    return _random(build_model("fastspeech", config))


def fastspeech2s(pitch_level: str, excitation: str) -> nn.Module:
    """A FastSpeech 2s whose energy, per frame, sees its pitch."""
    trunk = _trunk({"target": "f0", "level": pitch_level}, {"level": "frame"}, True, ("ann", "ben"))
    step = 4 if excitation == "harmonic" else 1
    waveform = {"channels": 4, "blocks": 2, "cycle": 2, "excitation": excitation, "samples_per_step": step}
    return _random(build_model("fastspeech2s", {"trunk": trunk, "waveform": waveform, "hop_samples": 256}))


def prodiff(stride: int) -> nn.Module:
    """A ProDiff with a chain of four levels, as if it were trained. stride 0: a teacher."""
    config = _trunk({"target": "f0", "level": "phoneme"}, {"level": "phoneme"}, False, ())
    del config["network"]["decoder"]
    config["network"]["denoiser"] = {"layers": 2, "channels": 8}
    torch.manual_seed(5)
    made: Any = _random(build_model("prodiff", config | {"stride": stride}))
    nn.init.normal_(made.denoiser.output.weight, std=0.3)  # an untrained one says nothing
    return made


def _trunk(pitch: dict[str, Any], energy: dict[str, Any], sees: bool, speakers: Any) -> dict[str, Any]:
    network = {
        "hidden": 8, "encoder": _STACK, "decoder": _STACK, "predictor": {"channels": 8}, "pitch": {"bins": 16} | pitch,
        "energy": {"bins": 16} | energy, "energy_sees_pitch": sees,
    }  # fmt: skip
    return {
        "network": network, "n_symbols": len(ENGLISH_SYMBOLS), "n_mels": 80, "pause_ids": _PAUSES,
        "speakers": list(speakers), "statistics": _STATISTICS,
    }  # fmt: skip


def _random(model: Any) -> nn.Module:
    """The model with durations of several frames that differ from token to token."""
    trunk = getattr(model, "trunk", model)
    with torch.no_grad():
        trunk.duration_predictor.project.weight.mul_(3.0)
        trunk.duration_predictor.project.bias.fill_(1.4)
    return model.eval()


def istft() -> Vocoder:
    """An inverse-STFT vocoder that hears mels louder than they are."""
    config = IstftConfig(channels=8, expanded=12, lookahead=(1, 0))
    return IstftVocoder(IstftVocoderNetwork(config).eval(), PRESET, level_db=-6.0)


def hifigan() -> Vocoder:
    """A HiFi-GAN."""
    config = HifiGanConfig(
        resblock="2", upsample_rates=(16, 16), upsample_kernel_sizes=(32, 32), upsample_initial_channel=8,
        resblock_kernel_sizes=(3,), resblock_dilation_sizes=((1, 2),),
    )  # fmt: skip
    return HifiGanVocoder(HifiGan(config).eval(), PRESET, level_db=3.0)


def pack_tiny(folder: Path, acoustic: Any, vocoder: Vocoder | None, **changes: Any) -> VoiceManifest:
    """Pack a voice of these parts."""
    arguments: dict[str, Any] = {
        "name": folder.name, "acoustic": acoustic, "vocoder": vocoder, "symbols": ENGLISH_SYMBOLS,
        "mel_preset_name": PRESET, "card": "# tiny\n",
    }  # fmt: skip
    return pack_voice(folder, **(arguments | changes))


def pack_kind(kind: str, folder: Path, **changes: Any) -> VoiceManifest:
    """A voice of one of `KINDS`, always with the same weights."""
    torch.manual_seed(7)
    if kind == "tokens":  # pitch and energy per token, two speakers
        model = fastspeech2({"target": "f0", "level": "phoneme"}, {"level": "phoneme"}, speakers=("ann", "ben"))
        return pack_tiny(folder, model, istft(), **changes)
    if kind == "frames":  # the wavelet transform, per frame
        return pack_tiny(folder, fastspeech2({"target": "cwt"}, {"level": "frame"}), hifigan(), **changes)
    if kind == "fastspeech":
        return pack_tiny(folder, fastspeech(), istft(), **changes)
    levels = {"samples": ("phoneme", "none"), "harmonic": ("frame", "harmonic")}
    return pack_tiny(folder, fastspeech2s(*levels[kind]), None, **changes)


KINDS = ("tokens", "frames", "fastspeech", "samples", "harmonic")
