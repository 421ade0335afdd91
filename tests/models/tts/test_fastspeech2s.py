"""FastSpeech 2s: text to samples, without a mel decoder where it speaks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from speechkd.models.tts.fastspeech2s import FastSpeech2s, Places
from speechkd.models.tts.fastspeech2s_config import FastSpeech2sConfig, WaveformConfig
from speechkd.models.tts.interface import makes_samples
from speechkd.models.tts.load import load_model, save_model
from tests.models.tts.test_fastspeech2 import LENGTHS, N_MELS, TINY, TOKENS, lively, tiny, variances

HOP = 16
DURATIONS = torch.tensor([[2, 0, 1, 3, 0, 0, 0, 0], [1, 2, 2, 1, 0, 3, 4, 2], [1, 1, 2, 0, 0, 0, 0, 0]])


KINDS = (*TINY, "harmonic")


def model(kind: str = "small") -> FastSpeech2s:
    harmonic = kind == "harmonic"
    trunk = lively(tiny("paper" if harmonic else kind))
    waveform = WaveformConfig(channels=6, blocks=4, cycle=2, excitation="harmonic" if harmonic else "none")
    made = FastSpeech2s(FastSpeech2sConfig(trunk=trunk.config, waveform=waveform, hop_samples=HOP))
    made.trunk.load_state_dict(trunk.state_dict())
    return made.eval()


@pytest.mark.parametrize("kind", KINDS)
def test_speaking_in_a_batch_is_speaking_alone(kind: str) -> None:
    speaker = model(kind)
    together = speaker.infer(TOKENS, LENGTHS)
    assert together.samples is not None and len(set(together.mel_lengths.tolist())) == 3
    assert together.samples.shape == (3, int(together.mel_lengths.max()) * HOP)
    assert together.mel.shape == (3, 0, N_MELS)
    for row, n in enumerate(LENGTHS.tolist()):
        alone = speaker.infer(TOKENS[row : row + 1, :n], LENGTHS[row : row + 1])
        assert alone.samples is not None
        n_samples = int(alone.mel_lengths[0]) * HOP
        assert alone.samples.shape == (1, n_samples) and alone.samples.abs().max() > 0
        torch.testing.assert_close(together.samples[row, :n_samples], alone.samples[0], atol=1e-5, rtol=0)
        assert not together.samples[row, n_samples:].any()


def test_speaking_leaves_the_mel_decoder_out() -> None:
    speaker = model()
    expected = speaker.infer(TOKENS, LENGTHS).samples
    speaker.trunk.decoder = speaker.trunk.mel_project = nn.Identity()
    found = speaker.infer(TOKENS, LENGTHS).samples
    assert expected is not None and found is not None and found.equal(expected)


def test_durations_and_speed_are_obeyed() -> None:
    spoken = model().infer(TOKENS, LENGTHS, durations=DURATIONS, speed=2.0)
    assert spoken.samples is not None
    assert spoken.mel_lengths.tolist() == [6, 15, 4] and spoken.samples.shape == (3, 15 * HOP)
    slow, fast = (model().infer(TOKENS, LENGTHS, speed=speed).mel_lengths for speed in (0.5, 2.0))
    assert (slow > fast).all()


@pytest.mark.parametrize("kind", KINDS)
def test_controls_are_those_of_the_trunk_and_are_heard(kind: str) -> None:
    speaker = model(kind)
    assert speaker.controls == speaker.trunk.controls == {"speed", "pitch", "energy"} and makes_samples(speaker)
    plain = speaker.infer(TOKENS, LENGTHS)
    for control in ({"pitch_semitones": 7.0}, {"energy": 3.0}):
        moved = speaker.infer(TOKENS, LENGTHS, **control)
        assert plain.samples is not None and moved.samples is not None
        assert moved.samples.shape == plain.samples.shape and not moved.samples.equal(plain.samples)


def test_a_slice_of_the_training_pass_is_what_the_decoder_makes_of_those_frames() -> None:
    speaker = model()
    given = variances("small", DURATIONS)
    places = Places(torch.tensor([1, 0, 1]), torch.tensor([2, 1, 10]), 5)
    prediction, samples = speaker(TOKENS, LENGTHS, given, None, places)
    adapted = speaker.trunk.adapt(TOKENS, LENGTHS, given)
    assert samples.shape == (3, 5 * HOP) and prediction.mel.shape == (3, 15, N_MELS)
    for row, (utterance, start) in enumerate(((1, 2), (0, 1), (1, 10))):
        expected = speaker.waveform(adapted.states[utterance : utterance + 1, start : start + 5])[0]
        torch.testing.assert_close(samples[row], expected, atol=1e-6, rtol=0)


def test_the_excitation_of_a_slice_follows_the_pitch_of_its_frames() -> None:
    speaker = model("harmonic")
    given = variances("paper", DURATIONS)
    places = Places(torch.tensor([1, 0]), torch.tensor([3, 1]), 5)
    _, samples = speaker(TOKENS, LENGTHS, given, None, places)
    adapted = speaker.trunk.adapt(TOKENS, LENGTHS, given)
    for row, (utterance, start) in enumerate(((1, 3), (0, 1))):
        here = (slice(utterance, utterance + 1), slice(start, start + 5))
        assert speaker.excitation is not None
        excitation = speaker.excitation(given.pitch_hz[here], given.voiced[here])
        expected = speaker.waveform(adapted.states[here], excitation=excitation)[0]
        torch.testing.assert_close(samples[row], expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize(("kind", "why"), [("small", "pitch.level is phoneme"), ("none", "there is no pitch")])
def test_an_excitation_wants_the_pitch_of_frames(kind: str, why: str) -> None:
    config = tiny("small").config.model_dump()
    if kind == "none":
        config["network"]["pitch"] = {"target": "none"}
    sizes = {"trunk": config, "waveform": {"excitation": "harmonic"}, "hop_samples": HOP}
    (found,) = FastSpeech2sConfig.model_validate(sizes).problems()
    assert found[0] == "waveform.excitation" and found[1].endswith(why)


def test_a_frozen_trunk_rests_while_the_waveform_decoder_learns() -> None:
    speaker = model("harmonic")
    speaker.freeze_trunk()
    speaker.train()
    assert speaker.waveform.training and not any(part.training for part in speaker.trunk.modules())
    places = Places(torch.tensor([1]), torch.tensor([0]), 10)
    prediction, samples = speaker(TOKENS, LENGTHS, variances("paper", DURATIONS), None, places)
    samples.square().sum().backward()
    assert prediction is None and all(p.grad is None for p in speaker.trunk.parameters())
    silent = [name for name, p in speaker.waveform.named_parameters() if p.grad is None]
    assert not silent


def test_both_losses_reach_the_encoder() -> None:
    speaker = model().train()
    places = Places(torch.tensor([1]), torch.tensor([0]), 10)
    _, samples = speaker(TOKENS, LENGTHS, variances("small", DURATIONS), None, places)
    samples.square().sum().backward()
    reached = {
        name.split(".")[0] for name, p in speaker.trunk.named_parameters() if p.grad is not None and p.grad.any()
    }
    assert {"embedding", "encoder"} <= reached and not {"decoder", "mel_project", "duration_predictor"} & reached


def test_saved_and_loaded_it_speaks_the_same(tmp_path: Path) -> None:
    speaker = model()
    save_model(tmp_path, speaker)
    loaded: Any = load_model(tmp_path)
    assert loaded.kind == "fastspeech2s" and loaded.config == speaker.config and not loaded.training
    assert (loaded.config.n_symbols, loaded.config.n_mels, loaded.config.speakers) == (20, N_MELS, ())
    assert loaded.infer(TOKENS, LENGTHS).samples.equal(speaker.infer(TOKENS, LENGTHS).samples)


def test_the_papers_waveform_decoder_has_the_size_of_its_formula() -> None:
    from speechkd.models.tts.waveform import WaveformDecoder

    counted = sum(parameter.numel() for parameter in WaveformDecoder(256, 256, WaveformConfig()).parameters())
    block = 64 * 128 * 3 + 128 + 64 * 128 + 128
    assert counted == 256 * 64 * 512 + 64 + 30 * block + 64 * 64 + 64 + 64 + 1
