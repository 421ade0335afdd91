"""The known traps of pitch (P1 … P11) and energy (E1 … E4), one test each.

Every test also steps into its trap, with a few lines of the wrong way, to show that it would notice.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from recipes.tts.common.dataset import TtsDataset
from speechkd.audio.io import read_audio
from speechkd.audio.mel import linear_spectrogram, mel_from_linear, mel_preset
from speechkd.errors import DataError
from speechkd.features.bins import PitchBins, UniformBins
from speechkd.features.energy import frame_energy
from speechkd.features.levels import token_means
from speechkd.features.logarithm import hz_of_log, log_hz
from speechkd.features.pitch import continuous_contour, extract_f0, interpolate_unvoiced
from speechkd.features.statistics import Statistics, corpus_statistics
from speechkd.features.wavelet import cwt, inverse_cwt, scale_weights
from speechkd.losses.masked import masked_mse
from speechkd.models.common.config import PredictorConfig
from speechkd.models.common.masks import length_mask, masked_mean
from speechkd.models.tts.config import FastSpeech2Config, NetworkConfig, PitchConfig, VarianceStatistics
from speechkd.models.tts.fastspeech2 import FastSpeech2
from speechkd.models.tts.variance import PitchAdaptor
from tests.features.speech import spoken_f0, with_octave_errors
from tests.models.tts.says import Says
from tests.recipes.tts.features import TINY_NETWORKS, write_features

PRESET = mel_preset("hifigan_22k")
PREDICTOR = PredictorConfig(layers=2, channels=16, kernel=3, dropout=0.5)
LOG_SCALE = (math.log(190.0), 0.25)


def statistics_of(contours: list[np.ndarray]) -> Statistics:
    return corpus_statistics((np.zeros((len(f0), 2)), f0, np.ones(len(f0))) for f0 in contours)


def adaptor(**config: object) -> PitchAdaptor:
    torch.manual_seed(0)
    return PitchAdaptor(8, PREDICTOR, PitchConfig.model_validate(config), (80.0, 400.0), LOG_SCALE).eval()


def noise(seconds: float, seed: int = 0) -> Tensor:
    samples = np.random.default_rng(seed).normal(0, 0.1, int(seconds * PRESET.sample_rate))
    return torch.from_numpy(samples.astype(np.float32))[None]


def energy_of(samples: Tensor) -> Tensor:
    return frame_energy(linear_spectrogram(samples, PRESET))[0]


def test_p1_quartiles_of_mostly_unvoiced_clips_are_those_of_the_voiced_frames() -> None:
    contours = [spoken_f0(seed, voiced=0.1) for seed in range(20)]
    everything = np.concatenate(contours)
    assert np.percentile(everything, 75) == 0  # a filter by these quartiles would leave no voiced frame
    found = statistics_of(contours)
    voiced = everything[everything > 0]
    kept = (voiced >= found.f0_min_hz) & (voiced <= found.f0_max_hz)
    assert kept.mean() > 0.99
    assert found.log_f0_mean == pytest.approx(np.log(voiced.astype(float)).mean(), abs=1e-9)


def test_p2_octave_errors_do_not_stretch_the_bins() -> None:
    clean = [spoken_f0(seed) for seed in range(30)]
    wrong = [with_octave_errors(clean[0], 6), *clean[1:]]

    def width(found: Statistics) -> float:
        return PitchBins(found.f0_min_hz, found.f0_max_hz, 256).log.width

    assert width(statistics_of(wrong)) < 1.1 * width(statistics_of(clean))
    voiced = np.concatenate(wrong)
    voiced = voiced[voiced > 0]
    by_extremes = PitchBins(float(voiced.min()), float(voiced.max()), 256).log.width
    assert by_extremes > 1.4 * width(statistics_of(wrong))


def test_p3_unvoiced_is_not_mean_pitch() -> None:
    """Zeros left in a normalised contour would say "the mean"; filled frames say what their neighbours say."""
    f0 = np.array([100] * 10 + [0] * 10 + [100] * 10 + [300] * 30, dtype=np.float32)
    contour = continuous_contour(f0)
    np.testing.assert_allclose(contour.normalised[10:20], contour.normalised[0], atol=1e-6)
    assert contour.normalised[0] < -0.9
    voiced = f0 > 0
    zeros_left = np.where(voiced, (f0 - f0[voiced].mean()) / f0[voiced].std(), 0.0)
    assert (zeros_left[10:20] == 0).all()  # the trap: nearer to 300 Hz than the frames around it
    both = (torch.from_numpy(interpolate_unvoiced(f0))[None].float(), torch.from_numpy(voiced)[None])
    embedded = adaptor(target="f0")(torch.zeros(1, 60, 8), torch.ones(1, 60, dtype=torch.bool), both, 1.0).embedded[0]
    assert not torch.equal(embedded[15], embedded[5])  # voicing is carried beside the contour


@pytest.mark.parametrize("ratio", [0.75, 1.25, 1.5])
def test_p4_control_moves_f0_in_hz_and_log_bins_never_see_a_negative_number(ratio: float) -> None:
    contour = continuous_contour(spoken_f0(3))
    with np.errstate(invalid="ignore"):
        assert np.isnan(np.log(contour.normalised)).any()  # log bins of a normalised contour
    at_the_mean = np.abs(contour.normalised).argmin()
    assert abs(contour.normalised[at_the_mean] * ratio - contour.normalised[at_the_mean]) < 0.01  # would move nothing
    said = adaptor(target="f0", level="phoneme")
    said.predictor = Says(torch.cat([torch.zeros(1, 5, 1), torch.ones(1, 5, 1)], dim=-1))  # exactly the mean
    states, mask = torch.zeros(1, 5, 8), torch.ones(1, 5, dtype=torch.bool)
    heard = []
    for control in (1.0, ratio):
        prediction = said(states, mask, None, control)
        heard.append(said.bins.centre(said.bins.index(prediction.f0_hz)))
        torch.testing.assert_close(prediction.embedded, said.embedding(1 + said.bins.index(prediction.f0_hz)))
    assert (heard[1] / heard[0] / ratio - 1).abs().max() < 0.02


def test_p5_averaging_does_not_write_into_what_it_reads() -> None:
    values = interpolate_unvoiced(spoken_f0(1, 60))
    durations = np.array([0, 0, 7, 3, 0, 20, 30])
    expected = [values[start : start + n].mean() for start, n in ((0, 7), (7, 3), (10, 20), (30, 30))]
    before = values.copy()
    found = token_means(values, durations)
    np.testing.assert_allclose(found[durations > 0], expected)
    np.testing.assert_array_equal(values, before)
    in_place, at = values.copy(), 0
    for token, n in enumerate(durations):
        in_place[token] = in_place[at : at + n].mean() if n else 0.0
        at += n
    assert np.abs(in_place[: len(durations)][durations > 0] - expected).max() > 1  # the trap


def test_p6_the_deviation_is_not_shrunk() -> None:
    contours = [continuous_contour(spoken_f0(seed)).normalised for seed in range(2)]
    statistics = torch.tensor([[0.5, 1.2], [-1.0, 0.4]])
    wavelet = torch.from_numpy(np.stack([cwt(contour) for contour in contours]))
    said = adaptor(target="cwt")
    said.predictor = Says(torch.cat([wavelet, torch.ones(2, 300, 1)], dim=-1))
    said.statistics = Says(statistics)
    log_f0 = said(torch.zeros(2, 300, 8), torch.ones(2, 300, dtype=torch.bool), None, 1.0).f0_hz.log()
    mean, deviation = LOG_SCALE
    torch.testing.assert_close(log_f0.mean(dim=1), mean + deviation * statistics[:, 0], atol=1e-4, rtol=0)
    found = log_f0.std(dim=1, correction=0)
    torch.testing.assert_close(found, deviation * statistics[:, 1], atol=1e-4, rtol=0)
    assert (found - 0.8 * deviation * statistics[:, 1]).abs().min() > 0.01  # the trap: a factor of 0.8


def padded_and_alone() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """States of a short row beside a long one, and the short row by itself, each with its mask."""
    torch.manual_seed(1)
    alone = torch.randn(1, 70, 8)
    batch = torch.cat([torch.cat([alone, 30 * torch.randn(1, 130, 8)], dim=1), torch.randn(1, 200, 8)])
    return batch, length_mask(torch.tensor([70, 200])), alone, torch.ones(1, 70, dtype=torch.bool)


def test_p7_the_statistics_head_sees_all_states_and_no_padding() -> None:
    batch, mask, alone, own_mask = padded_and_alone()
    said = adaptor(target="cwt")
    together, apart = (said(*each, None, 1.0).statistics for each in ((batch, mask), (alone, own_mask)))
    assert together is not None and apart is not None
    torch.testing.assert_close(together[:1], apart)
    assert (said.statistics(batch.mean(dim=1))[:1] - apart).abs().max() > 0.01  # the trap: padding counts
    late = alone.clone()
    late[:, 1:] += 2.0
    moved = said(late, own_mask, None, 1.0).statistics
    assert moved is not None and (moved - apart).abs().max() > 0.01  # the other trap: only the first state counts
    torch.testing.assert_close(masked_mean(batch, mask)[0], alone[0].mean(dim=0))


@pytest.mark.parametrize("inverse", ["paper", "matched"])
def test_p8_a_contour_does_not_change_with_its_batch_mates(inverse: str) -> None:
    batch, mask, alone, own_mask = padded_and_alone()
    said = adaptor(target="cwt", inverse=inverse)
    said.statistics = Says(torch.tensor([[0.2, 1.5]]))
    together, apart = (said(*each, None, 1.0) for each in ((batch, mask), (alone, own_mask)))
    torch.testing.assert_close(together.f0_hz[:1, :70], apart.f0_hz, rtol=1e-5, atol=1e-3)
    assert apart.f0_hz.log().std(correction=0).item() == pytest.approx(1.5 * LOG_SCALE[1], rel=1e-3)
    contour = together.values @ said.scale_weights
    unmasked = (contour - contour.mean(dim=1, keepdim=True)) / contour.std(dim=1, keepdim=True)
    own = apart.f0_hz.log()
    standard = (own - own.mean()) / own.std()
    assert (unmasked[0, :70] - standard[0]).abs().max() > 0.1  # the trap: padding is averaged
    target = torch.randn(2, 200, 10)
    rubbish = target.masked_fill(~mask.unsqueeze(-1), 1e6)
    loss = masked_mse(together.values, rubbish, mask)
    torch.testing.assert_close(loss, masked_mse(together.values, target, mask))
    assert (together.values - rubbish).square().mean() > 1e6 * loss


@pytest.mark.parametrize("n_voiced", [0, 1])
def test_p9_a_contour_needs_two_voiced_frames(n_voiced: int) -> None:
    f0 = np.zeros(50, dtype=np.float32)
    f0[20 : 20 + n_voiced] = 150
    with pytest.raises(DataError, match=f"only {n_voiced} voiced frames"):
        continuous_contour(f0)
    with np.errstate(divide="ignore"):
        assert not np.isfinite(np.log(f0)).all()  # the trap
    both = statistics_of([f0, spoken_f0(0)])
    assert both.f0_min_hz > 0 and all(np.isfinite(value).all() for value in map(np.asarray, vars(both).values()))
    f0[30] = f0[31] = 150
    assert np.isfinite(continuous_contour(f0).normalised).all()
    silence = np.zeros(PRESET.sample_rate, dtype=np.float32)
    assert not extract_f0(silence, PRESET.sample_rate, PRESET.hop_samples, 86).any()


def test_p10_targets_and_inverse_use_the_scales_that_the_model_carries(tmp_path: Path) -> None:
    features, tokens = write_features(tmp_path)
    for smallest in (1.0, 2.0):
        sizes = {**TINY_NETWORKS["paper"], "pitch": {"smallest_scale_frames": smallest, "inverse": "matched"}}
        network = NetworkConfig.model_validate(sizes)
        data = TtsDataset(features, tokens, network)
        target = data.example("u1").wavelet
        contour = continuous_contour(data.features.arrays("u1")["f0_hz"]).normalised
        np.testing.assert_array_equal(target, cwt(contour, smallest))
        config = FastSpeech2Config(
            network=network, n_symbols=9, n_mels=12, statistics=VarianceStatistics(**vars(data.statistics))
        )
        again = FastSpeech2Config.model_validate_json(config.model_dump_json())
        assert again.network.pitch.smallest_scale_frames == smallest
        weights = FastSpeech2(again).pitch.scale_weights.numpy()
        np.testing.assert_allclose(weights, scale_weights("matched", smallest), rtol=1e-6)
    contour = continuous_contour(spoken_f0(5)).normalised
    one, two = cwt(contour, 1.0), cwt(contour, 2.0)
    np.testing.assert_allclose(two[:, :-1], one[:, 1:], atol=1e-5)  # one octave between them, in the same ten columns
    for smallest, inverse in ((1.0, one), (2.0, two)):
        back = inverse_cwt(inverse, scale_weights("matched", smallest))
        assert np.corrcoef(contour, back)[0, 1] > 0.99
    assert np.square(one - two).mean() > 0.2 * np.square(one).mean()  # the trap: targets of one model for another


def test_p11_one_logarithm_from_the_contour_to_the_voice() -> None:
    """A known F0 goes through contour, corpus statistics, the model's scales and the bins, and is the same in Hz."""
    f0 = spoken_f0(7, voiced=1.0)
    contour, found = continuous_contour(f0), statistics_of([f0])
    assert contour.mean == pytest.approx(found.log_f0_mean, abs=1e-6)
    assert contour.deviation == pytest.approx(found.log_f0_deviation, abs=1e-6)
    scale = (found.log_f0_mean, found.log_f0_deviation)
    model = PitchAdaptor(8, PREDICTOR, PitchConfig(target="f0"), (found.f0_min_hz, found.f0_max_hz), scale).eval()
    said = torch.from_numpy(np.stack([contour.normalised, np.ones_like(f0)], axis=-1))[None]
    model.predictor = Says(said)
    f0_hz = model(torch.zeros(1, len(f0), 8), torch.ones(1, len(f0), dtype=torch.bool), None, 1.0).f0_hz
    np.testing.assert_allclose(f0_hz[0], f0, rtol=1e-4)
    in_octaves = 2 ** (scale[0] + scale[1] * contour.normalised)
    assert np.abs(in_octaves / f0 - 1).min() > 0.5  # the trap: base 2 on one side
    np.testing.assert_allclose(log_hz(f0), np.log(f0))
    np.testing.assert_allclose(hz_of_log(log_hz(torch.from_numpy(f0))), f0, rtol=1e-5)
    assert float(log_hz(torch.tensor(math.e))) == pytest.approx(1.0)


def tiny_model(level: str) -> FastSpeech2:
    torch.manual_seed(0)
    sizes = TINY_NETWORKS["paper" if level == "frame" else "small"]
    scales = VarianceStatistics(
        f0_min_hz=80, f0_max_hz=400, log_f0_mean=5.2, log_f0_deviation=0.25, energy_min=0, energy_max=150,
        energy_mean=30, energy_deviation=25, mel_mean=(-5.0,) * 12, mel_deviation=(2.0,) * 12,
    )  # fmt: skip
    config = FastSpeech2Config(
        network=NetworkConfig.model_validate(sizes), n_symbols=9, n_mels=12, statistics=scales
    )  # fmt: skip
    return FastSpeech2(config).eval()


@pytest.mark.parametrize("level", ["frame", "phoneme"])
def test_e1_each_control_moves_its_own_feature(level: str) -> None:
    model, tokens, lengths = tiny_model(level), torch.tensor([[1, 2, 3, 4, 5]]), torch.tensor([5])
    durations = torch.tensor([[4, 3, 5, 2, 6]])
    plain, louder, higher = (
        model.predict(model.adapt_freely(tokens, lengths, durations=durations, **controls))
        for controls in ({}, {"energy": 2.0}, {"pitch_semitones": 6.0})
    )
    torch.testing.assert_close(louder.pitch.f0_hz, plain.pitch.f0_hz)
    torch.testing.assert_close(louder.pitch.embedded, plain.pitch.embedded)
    assert not torch.equal(louder.energy.embedded, plain.energy.embedded)
    torch.testing.assert_close(higher.pitch.f0_hz, math.sqrt(2) * plain.pitch.f0_hz)
    torch.testing.assert_close(higher.energy.embedded, plain.energy.embedded)
    neither = model.predict(model.adapt_freely(tokens, lengths, durations=durations, energy=1.0, pitch_semitones=0.0))
    torch.testing.assert_close(neither.mel, plain.mel)


def test_e2_energy_is_that_of_the_spectrum_and_its_bins_are_the_corpus_range() -> None:
    samples = noise(1.0) * torch.linspace(0.05, 1.0, PRESET.sample_rate)
    once, twice = energy_of(samples), energy_of(2 * samples)
    torch.testing.assert_close(twice, 2 * once, rtol=1e-4, atol=1e-4)

    def from_log10_mel(x: Tensor) -> Tensor:
        mel = mel_from_linear(linear_spectrogram(x, PRESET), PRESET)[0] / math.log(10)
        return mel.exp().square().sum(dim=-1).sqrt()

    ratio = from_log10_mel(2 * samples) / from_log10_mel(samples)
    assert ratio.max() < 1.4  # the trap: 2^0.434 times for twice the sound
    bins = UniformBins(float(once.min()), float(once.max()), 256)
    index = bins.index(once)
    assert len(index.unique()) > 50 and (bins.centre(index) - once).abs().max() <= 0.501 * bins.width
    assert ((64 * once).floor() >= 255).float().mean() > 0.9  # the other trap: bins for energies below 4


def test_e3_energy_is_the_l2_norm() -> None:
    """Parseval: the squares of one side of the spectrum are half of n_fft times the squares of the windowed frame."""
    samples = noise(0.6, seed=3)
    pad = (PRESET.n_fft - PRESET.hop_samples) // 2
    padded = np.pad(samples[0].numpy().astype(np.float64), pad, mode="reflect")
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(PRESET.n_fft) / PRESET.n_fft)
    found = energy_of(samples).numpy()
    starts = np.arange(len(found)) * PRESET.hop_samples
    squares = np.array([np.square(padded[s : s + PRESET.n_fft] * window).sum() for s in starts])
    np.testing.assert_allclose(found, np.sqrt(PRESET.n_fft / 2 * squares), rtol=0.02)
    l1 = linear_spectrogram(samples, PRESET)[0].sum(dim=-1).numpy()
    assert (l1 / found).min() > 10  # the trap


def test_e4_energy_is_summed_over_bins_so_that_long_utterances_are_not_louder() -> None:
    """Also where an utterance has as many frames as the spectrum has bins, and the shapes would agree."""
    n_bins = PRESET.n_fft // 2 + 1
    second = noise(0.5)[:, : 40 * PRESET.hop_samples]
    long = second.repeat(1, 13)[:, : n_bins * PRESET.hop_samples]
    long[:, 300 * PRESET.hop_samples :] *= 0.01
    magnitude = linear_spectrogram(long, PRESET)
    assert magnitude.shape[1:] == (n_bins, n_bins)
    short, whole = energy_of(second), frame_energy(magnitude)[0]
    torch.testing.assert_close(whole[4:36], short[4:36], rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(whole[44:76], short[4:36], rtol=1e-3, atol=1e-3)
    assert whole[310:].mean() < 0.02 * whole[:290].mean()
    wrong = magnitude[0].square().sum(dim=0).sqrt()
    assert wrong.shape == whole.shape and wrong[310:].mean() > 0.5 * wrong[:290].mean()  # the trap


def test_real_speech_goes_through_bins_and_control(shared_data: Callable[[str], Path]) -> None:
    """Half a bin of error, two percent of ratio, for pitch and energy of recordings."""
    paths = sorted(shared_data("data/speech/kathleen1032/wavs").iterdir())[::200]
    f0s, energies = [], []
    for path in paths:
        samples = read_audio(path, PRESET.sample_rate).samples
        samples = samples[: len(samples) // PRESET.hop_samples * PRESET.hop_samples]
        energies.append(energy_of(torch.from_numpy(samples)[None]).numpy())
        f0s.append(extract_f0(samples, PRESET.sample_rate, PRESET.hop_samples, len(energies[-1])))
    found = corpus_statistics((np.zeros((len(f), 2)), f, e) for f, e in zip(f0s, energies, strict=True))
    f0 = torch.from_numpy(np.concatenate([interpolate_unvoiced(f) for f in f0s]))
    energy = torch.from_numpy(np.concatenate(energies))
    pitch_bins = PitchBins(found.f0_min_hz, found.f0_max_hz, 256)
    energy_bins = UniformBins(found.energy_min, found.energy_max, 256)
    inside = f0[(f0 > found.f0_min_hz) & (f0 < found.f0_max_hz)]
    assert len(inside) > 0.99 * len(f0)
    off = (pitch_bins.centre(pitch_bins.index(inside)).log() - inside.log()).abs().max()
    assert off <= 0.501 * pitch_bins.log.width < 0.005
    assert (energy_bins.centre(energy_bins.index(energy)) - energy).abs().max() <= 0.501 * energy_bins.width
    for ratio in (0.75, 1.5):
        moved = inside[(inside * ratio > found.f0_min_hz) & (inside * ratio < found.f0_max_hz)]
        before, after = (pitch_bins.centre(pitch_bins.index(each)) for each in (moved, moved * ratio))
        assert (after / before / ratio - 1).abs().max() < 0.02
