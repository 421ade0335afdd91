"""Named mel presets, one per vocoder family. Importing this module does not import torch."""

from __future__ import annotations

from dataclasses import dataclass

from speechkd.errors import ConfigError


@dataclass(frozen=True)
class MelPreset:
    """What a mel spectrogram is made of; a vocoder only understands the preset that it was trained on."""

    name: str
    sample_rate: int
    n_fft: int
    hop_samples: int
    win_samples: int
    n_mels: int
    fmin_hz: float
    fmax_hz: float
    log_floor: float = 1e-5

    @property
    def hop_s(self) -> float:
        """Seconds between two frames."""
        return self.hop_samples / self.sample_rate


MEL_PRESETS: dict[str, MelPreset] = {
    preset.name: preset
    for preset in (
        # jik876/hifi-gan V1-V3 as published for LJSpeech, VCTK and the universal model (config_v1.json), and
        # speechbrain/tts-hifigan-ljspeech (hparams/train.yaml of its LJSpeech recipe).
        MelPreset("hifigan_22k", 22050, 1024, 256, 1024, 80, 0.0, 8000.0),
        # microsoft/speecht5_hifigan: the numbers of preprocessor_config.json beside speecht5_tts (hop 16 ms, window
        # 64 ms, 80 to 7600 Hz); its log10 becomes part of the converted generator.
        MelPreset("hifigan_16k", 16000, 1024, 256, 1024, 80, 80.0, 7600.0),
        # ESPnet's LJSpeech recipe (n_fft 1024, n_shift 256) with the defaults of its LogMelFbank (80 to 7600 Hz):
        # espnet/fastspeech2_conformer_hifigan, Parallel WaveGAN and others.
        MelPreset("espnet_22k", 22050, 1024, 256, 1024, 80, 80.0, 7600.0),
    )
}


def mel_preset(name: str) -> MelPreset:
    """The preset of that name; ConfigError with the known names otherwise."""
    if name not in MEL_PRESETS:
        raise ConfigError(f"there is no mel preset {name!r}", todo=f"Choose one of: {', '.join(sorted(MEL_PRESETS))}")
    return MEL_PRESETS[name]
