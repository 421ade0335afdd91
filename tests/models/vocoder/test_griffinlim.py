"""Griffin-Lim keeps what a mel says: pitch, length, level; and it is repeatable."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.optimize import nnls

from speechkd.audio.io import read_audio
from speechkd.audio.mel import MEL_PRESETS, mel_basis, mel_spectrogram
from speechkd.metrics.speech import mel_l1
from speechkd.models.vocoder.griffinlim import GriffinLim, linear_from_mel
from tests.conftest import shared_data

PRESET = MEL_PRESETS["hifigan_22k"]


def sweep(n_frames: int = 60) -> torch.Tensor:
    t = torch.arange(n_frames * PRESET.hop_samples) / PRESET.sample_rate
    return 0.4 * torch.sin(2 * torch.pi * (300 * t + 400 * t * t))[None]


@pytest.mark.parametrize("name", sorted(MEL_PRESETS))
def test_length_is_frames_times_hop(name):
    preset = MEL_PRESETS[name]
    mel = torch.full((2, 7, preset.n_mels), -4.0)
    assert GriffinLim(name, n_iter=2)(mel).shape == (2, 7 * preset.hop_samples)


def test_the_mel_of_the_result_is_the_mel():
    mel = mel_spectrogram(sweep(), PRESET)
    rebuilt = GriffinLim("hifigan_22k")(mel)
    inner = slice(4, -4)
    # Only bands that carry the tone: the floor of the others is a matter of leakage.
    loud = mel[0, inner] > mel.max() - 4
    again = mel_spectrogram(rebuilt, PRESET)[0, inner]
    # 0.3 is 2.6 dB; a lone tone is the hardest case, as one band does not tell its exact frequency.
    assert (again - mel[0, inner])[loud].abs().mean() < 0.3


def test_pitch_survives():
    t = torch.arange(80 * PRESET.hop_samples) / PRESET.sample_rate
    tone = 0.3 * torch.sin(2 * torch.pi * 440 * t)[None]
    rebuilt = GriffinLim("hifigan_22k")(mel_spectrogram(tone, PRESET))[0].numpy()[4096:-4096]
    spectrum = np.abs(np.fft.rfft(rebuilt * np.hanning(len(rebuilt))))
    peak_hz = spectrum.argmax() * PRESET.sample_rate / len(rebuilt)
    # Resolution is that of a mel band, about 40 Hz here.
    assert peak_hz == pytest.approx(440, abs=25)


def test_same_seed_same_samples_alone_or_in_a_batch():
    mel = mel_spectrogram(sweep(20), PRESET)
    other = mel - 1.0
    alone = GriffinLim("hifigan_22k", n_iter=5)(mel)
    state = torch.random.get_rng_state()
    batch = GriffinLim("hifigan_22k", n_iter=5)(torch.cat([mel, other]))
    torch.testing.assert_close(batch[:1], alone, atol=1e-4, rtol=1e-3)
    assert torch.equal(alone, GriffinLim("hifigan_22k", n_iter=5)(mel))
    assert torch.equal(state, torch.random.get_rng_state())
    assert not torch.equal(alone, GriffinLim("hifigan_22k", n_iter=5, seed=1)(mel))


def test_magnitudes_are_close_to_the_exact_non_negative_least_squares():
    mel = mel_spectrogram(sweep(20), PRESET)[:, 8:10]
    found = linear_from_mel(mel, PRESET)[0].double().numpy()
    basis = mel_basis(PRESET).double().numpy()
    assert (found >= 0).all()
    for target, magnitude in zip(mel[0].double().exp().numpy(), found, strict=True):
        _, best = nnls(basis, target)
        residual = np.linalg.norm(basis @ magnitude - target)
        assert residual - best < 0.01 * np.linalg.norm(target)


def test_copy_synthesis_of_a_real_clip():
    clip = sorted(shared_data("data/speech/ljspeech300/wavs").iterdir())[1]
    mel = mel_spectrogram(torch.from_numpy(read_audio(clip, PRESET.sample_rate).samples)[None], PRESET)
    rebuilt = mel_spectrogram(GriffinLim("hifigan_22k")(mel), PRESET)
    assert mel_l1(mel[0], rebuilt[0]) < 0.2
