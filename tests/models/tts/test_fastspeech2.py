"""FastSpeech 2: sizes, controls, and that a row of a batch is what it is alone."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from speechkd.errors import ArtifactError
from speechkd.models.tts.adaptor import Variances
from speechkd.models.tts.config import FastSpeech2Config, NetworkConfig, VarianceStatistics
from speechkd.models.tts.fastspeech2 import FastSpeech2, Prediction
from speechkd.models.tts.load import load_model, save_model
from tests.models.tts.says import Says

N_SYMBOLS, N_MELS = 20, 8
PAUSE, OPENING = 18, 19
FFT = {"layers": 2, "heads": 2, "conv_channels": 24, "dropout": 0.1}
TINY: dict[str, dict[str, Any]] = {
    "paper": {"pitch": {"target": "cwt", "level": "frame", "bins": 16}, "energy": {"level": "frame", "bins": 16}},
    "small": {"pitch": {"target": "f0", "level": "phoneme", "bins": 16}, "energy": {"level": "phoneme", "bins": 16}},
    "mixed": {"pitch": {"target": "f0", "level": "frame", "bins": 16}, "energy": {"level": "phoneme", "bins": 16}},
}
STATISTICS = VarianceStatistics(
    f0_min_hz=80, f0_max_hz=400, log_f0_mean=math.log(180), log_f0_deviation=0.25, energy_min=0, energy_max=60,
    energy_mean=20, energy_deviation=8, mel_mean=(-5.0,) * N_MELS, mel_deviation=(2.0,) * N_MELS,
)  # fmt: skip
TOKENS = torch.tensor([[3, 5, PAUSE, 7, 0, 0, 0, 0], [OPENING, 1, 2, 3, PAUSE, 5, 6, 4], [2, 2, 9, 0, 0, 0, 0, 0]])
LENGTHS = torch.tensor([4, 8, 3])


def tiny(kind: str, seed: int = 0) -> FastSpeech2:
    network = NetworkConfig.model_validate(
        {
            "hidden": 16,
            "encoder": FFT | {"conv_kernel": 9},
            "decoder": FFT | {"conv_kernel": 5},
            "predictor": {"layers": 2, "channels": 12, "kernel": 3, "dropout": 0.5},
        }
        | TINY[kind]
    )
    torch.manual_seed(seed)
    return FastSpeech2(
        FastSpeech2Config(
            network=network, n_symbols=N_SYMBOLS, n_mels=N_MELS, pause_ids=(PAUSE, OPENING), statistics=STATISTICS
        )
    )


def lively(model: FastSpeech2, frames: float = 4.0) -> FastSpeech2:
    """The model in evaluation mode, its untrained duration predictor moved to about `frames` per token."""
    with torch.no_grad():
        model.duration_predictor.project.bias.fill_(math.log(frames + 1))
        model.duration_predictor.project.weight.mul_(2.0)
    return model.eval()


def variances(kind: str, durations: Tensor) -> Variances:
    """Made-up pitch and energy at the levels of the configuration."""
    generator = torch.Generator().manual_seed(5)
    n_frames, n_tokens = int(durations.sum(dim=1).max()), durations.shape[1]
    sizes = {level: n_frames if TINY[kind][level]["level"] == "frame" else n_tokens for level in ("pitch", "energy")}
    rows = len(durations)
    return Variances(
        durations,
        80 + 320 * torch.rand(rows, sizes["pitch"], generator=generator),
        torch.rand(rows, sizes["pitch"], generator=generator) > 0.3,
        60 * torch.rand(rows, sizes["energy"], generator=generator),
    )


def assert_same_row(together: Prediction, row: int, alone: Prediction) -> None:
    """Everything that a prediction holds for a row, over its valid positions."""
    n_frames, n_tokens = int(alone.mel_lengths[0]), alone.durations.shape[1]
    assert int(together.mel_lengths[row]) == n_frames
    assert together.durations[row, :n_tokens].tolist() == alone.durations[0].tolist()
    assert not together.durations[row, n_tokens:].any()
    pairs = [(together.mel, alone.mel), (together.log_durations, alone.log_durations)]
    pairs += [(getattr(together.pitch, name), getattr(alone.pitch, name)) for name in ("values", "voicing", "embedded")]
    pairs += [(together.energy.values, alone.energy.values), (together.energy.embedded, alone.energy.embedded)]
    for batch, single in pairs:
        torch.testing.assert_close(batch[row, : single.shape[1]], single[0], atol=1e-5, rtol=1e-5)
    contour = alone.pitch.f0_hz
    torch.testing.assert_close(together.pitch.f0_hz[row, : contour.shape[1]], contour[0], atol=1e-3, rtol=1e-5)
    if alone.pitch.statistics is not None and together.pitch.statistics is not None:
        torch.testing.assert_close(together.pitch.statistics[row], alone.pitch.statistics[0], atol=1e-5, rtol=1e-5)


def speak(model: FastSpeech2, tokens: Tensor, lengths: Tensor, **controls: float) -> Prediction:
    """What `infer` does, with all that led to the mel."""
    with torch.inference_mode():
        return model.predict(model.adapt_freely(tokens, lengths, **controls))


@pytest.mark.parametrize("kind", TINY)
def test_speaking_in_a_batch_is_speaking_alone(kind: str) -> None:
    model = lively(tiny(kind))
    together = speak(model, TOKENS, LENGTHS)
    assert len(set(together.mel_lengths.tolist())) == 3  # else nothing would be padded
    for row, n in enumerate(LENGTHS.tolist()):
        assert_same_row(together, row, speak(model, TOKENS[row : row + 1, :n], LENGTHS[row : row + 1]))


@pytest.mark.parametrize("kind", TINY)
def test_training_in_a_batch_is_training_alone(kind: str) -> None:
    model = tiny(kind).eval()
    durations = torch.tensor([[2, 0, 1, 3, 0, 0, 0, 0], [1, 2, 2, 1, 0, 3, 4, 2], [1, 1, 2, 0, 0, 0, 0, 0]])
    given = variances(kind, durations)
    together = model(TOKENS, LENGTHS, given)
    for row, n in enumerate(LENGTHS.tolist()):
        n_frames = int(durations[row].sum())
        size = {n_level: n_frames if n_level == "frame" else n for n_level in ("frame", "phoneme")}
        pitch, energy = size[TINY[kind]["pitch"]["level"]], size[TINY[kind]["energy"]["level"]]
        own = Variances(
            durations[row : row + 1, :n], given.pitch_hz[row : row + 1, :pitch],
            given.voiced[row : row + 1, :pitch], given.energy[row : row + 1, :energy],
        )  # fmt: skip
        assert_same_row(together, row, model(TOKENS[row : row + 1, :n], LENGTHS[row : row + 1], own))


@pytest.mark.parametrize("kind", TINY)
def test_some_rows_hear_what_is_predicted_and_the_others_what_is_true(kind: str) -> None:
    model = tiny(kind).eval()
    durations = torch.tensor([[2, 0, 1, 3, 0, 0, 0, 0], [1, 2, 2, 1, 0, 3, 4, 2], [1, 1, 2, 0, 0, 0, 0, 0]])
    given = variances(kind, durations)
    mixed = replace(given, own=torch.tensor([False, True, False]))
    true, own = model(TOKENS, LENGTHS, given), model.predict(model.adapt_freely(TOKENS, LENGTHS, durations=durations))
    made = model(TOKENS, LENGTHS, mixed)
    assert not torch.allclose(true.mel[1], own.mel[1])  # else nothing would be shown
    for row, expected in enumerate((true, own, true)):
        torch.testing.assert_close(made.mel[row], expected.mel[row])
        torch.testing.assert_close(made.pitch.f0_hz[row], expected.pitch.f0_hz[row])
        torch.testing.assert_close(made.energy.embedded[row], expected.energy.embedded[row])


def test_the_mel_is_zero_past_its_length() -> None:
    out = lively(tiny("paper")).infer(TOKENS, LENGTHS)
    for mel, n in zip(out.mel, out.mel_lengths.tolist(), strict=True):
        assert mel[:n].abs().sum(dim=1).min() > 0 and not mel[n:].any()


def block_parameters(hidden: int, inner: int, kernel: int) -> int:
    attention = 4 * (hidden * hidden + hidden)
    convolutions = hidden * inner * kernel + inner + inner * hidden + hidden
    return attention + convolutions + 2 * 2 * hidden


def predictor_parameters(hidden: int, outputs: int) -> int:
    return 2 * (hidden * hidden * 3 + hidden) + 2 * 2 * hidden + hidden * outputs + outputs


def test_the_papers_model_has_the_papers_size() -> None:
    config = FastSpeech2Config(
        n_symbols=76, n_mels=80,
        statistics=STATISTICS.model_copy(update={"mel_mean": (0.0,) * 80, "mel_deviation": (1.0,) * 80}),
    )  # fmt: skip
    with torch.device("meta"):
        model = FastSpeech2(config)
    counted = sum(parameter.numel() for parameter in model.parameters())
    blocks = 8 * block_parameters(256, 1024, 9)
    predictors = predictor_parameters(256, 1) + predictor_parameters(256, 11) + predictor_parameters(256, 1)
    embeddings = (76 + 257 + 256) * 256
    statistics_head = 256 * 256 + 256 + 256 * 2 + 2
    assert counted == blocks + predictors + embeddings + statistics_head + 256 * 80 + 80
    assert counted == pytest.approx(24.5e6, rel=0.01)


def speak_with_durations(frames: list[float], **controls: float) -> list[int]:
    """What the model makes of predicted durations, for tokens of which the third may pause."""
    model = tiny("small").eval()
    model.duration_predictor = Says(torch.log(torch.tensor([frames]) + 1).unsqueeze(-1))
    tokens = torch.tensor([[3, 5, PAUSE, 7, 8]])
    return model.infer(tokens, torch.tensor([5]), **controls).durations[0].tolist()  # type: ignore[arg-type]


def test_predicted_durations_are_rounded_and_phones_never_vanish() -> None:
    assert speak_with_durations([2.3, 0.1, 0.2, 4.6, 0.0]) == [2, 1, 0, 5, 1]
    assert speak_with_durations([2.3, 0.1, 3.2, 4.6, 0.0]) == [2, 1, 3, 5, 1]


@pytest.mark.parametrize(("speed", "expected"), [(2.0, [4, 1, 5, 8, 6]), (0.5, [16, 4, 20, 32, 24])])
def test_speed_divides_durations(speed: float, expected: list[int]) -> None:
    assert speak_with_durations([8.0, 2.0, 10.0, 16.0, 12.0], speed=speed) == expected


@pytest.mark.parametrize("kind", TINY)
@pytest.mark.parametrize("speed", [0.5, 2.0])
def test_speed_changes_the_length_within_rounding(kind: str, speed: float) -> None:
    model = lively(tiny(kind), frames=9)
    plain, changed = (model.infer(TOKENS, LENGTHS, speed=each) for each in (1.0, speed))
    # Rounding moves a token by half a frame, before and after.
    most = LENGTHS * (0.5 + 0.5 / speed)
    assert ((changed.mel_lengths - plain.mel_lengths / speed).abs() <= most).all()
    assert (changed.mel_lengths != plain.mel_lengths).all()


@pytest.mark.parametrize("kind", TINY)
def test_given_durations_are_used_as_they_are(kind: str) -> None:
    durations = torch.tensor([[2, 0, 1, 3, 0, 0, 0, 0], [1, 2, 2, 1, 0, 3, 4, 2], [1, 1, 2, 0, 0, 0, 0, 0]])
    out = tiny(kind).eval().infer(TOKENS, LENGTHS, durations=durations, speed=3.0)
    assert out.durations.tolist() == durations.tolist() and out.mel_lengths.tolist() == [6, 15, 4]


@pytest.mark.parametrize("kind", TINY)
@pytest.mark.parametrize("semitones", [-12.0, 3.0, 7.0])
def test_pitch_control_shifts_f0_by_the_ratio_and_nothing_else(kind: str, semitones: float) -> None:
    model = lively(tiny(kind))
    plain, moved = (speak(model, TOKENS, LENGTHS, pitch_semitones=each) for each in (0.0, semitones))
    torch.testing.assert_close(moved.pitch.f0_hz, plain.pitch.f0_hz * 2 ** (semitones / 12))
    assert moved.durations.equal(plain.durations) and moved.energy.embedded.equal(plain.energy.embedded)
    assert not moved.pitch.embedded.equal(plain.pitch.embedded) and not moved.mel.equal(plain.mel)


@pytest.mark.parametrize("kind", TINY)
def test_energy_control_is_not_wired_to_pitch(kind: str) -> None:
    model = lively(tiny(kind))
    plain, moved = (speak(model, TOKENS, LENGTHS, energy=each) for each in (1.0, 1.7))
    assert moved.pitch.f0_hz.equal(plain.pitch.f0_hz) and moved.pitch.embedded.equal(plain.pitch.embedded)
    assert not moved.energy.embedded.equal(plain.energy.embedded) and not moved.mel.equal(plain.mel)


@pytest.mark.parametrize("kind", TINY)
def test_predictors_see_the_bare_states(kind: str) -> None:
    """What pitch was heard must not change what energy is predicted (NATS's wiring, the default of the spec)."""
    model = tiny(kind).eval()
    durations = torch.full((1, 5), 3)
    tokens, lengths = torch.tensor([[3, 5, PAUSE, 7, 8]]), torch.tensor([5])
    given = variances(kind, durations)
    higher = Variances(given.durations, given.pitch_hz.flip(1), ~given.voiced, given.energy)
    first, second = model(tokens, lengths, given), model(tokens, lengths, higher)
    assert first.energy.values.equal(second.energy.values) and first.pitch.values.equal(second.pitch.values)
    assert not first.mel.equal(second.mel)


def test_speaking_is_repeatable_and_leaves_no_gradients() -> None:
    model = lively(tiny("paper"))
    first, second = model.infer(TOKENS, LENGTHS), model.infer(TOKENS, LENGTHS)
    assert first.mel.equal(second.mel) and not first.mel.requires_grad


@pytest.mark.parametrize("kind", TINY)
def test_saved_and_loaded_it_speaks_the_same(kind: str, tmp_path: Path) -> None:
    model = lively(tiny(kind))
    save_model(tmp_path, model)
    loaded = load_model(tmp_path)
    assert not loaded.training and loaded.config == model.config
    assert loaded.infer(TOKENS, LENGTHS).mel.equal(model.infer(TOKENS, LENGTHS).mel)


@pytest.mark.parametrize("name", ["model.json", "model.safetensors"])
def test_a_damaged_model_is_an_artifact_error(name: str, tmp_path: Path) -> None:
    save_model(tmp_path, tiny("small"))
    data = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(data[: len(data) // 2])
    with pytest.raises(ArtifactError, match="the stage train"):
        load_model(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(ArtifactError):
        load_model(tmp_path)


ABLATIONS: dict[str, tuple[dict[str, Any], set[str]]] = {
    "no_pitch": ({"pitch": {"target": "none"}, "energy": {"level": "frame", "bins": 16}}, {"speed", "energy"}),
    "no_energy": ({"pitch": {"target": "cwt", "bins": 16}, "energy": {"target": "none"}}, {"speed", "pitch"}),
    "neither": ({"pitch": {"target": "none"}, "energy": {"target": "none"}}, {"speed"}),
}


@pytest.mark.parametrize("kind", ABLATIONS)
def test_what_is_left_out_has_no_weights_no_prediction_and_no_control(kind: str, monkeypatch: Any) -> None:
    settings, controls = ABLATIONS[kind]
    monkeypatch.setitem(TINY, kind, settings)
    model = lively(tiny(kind))
    left_out = {"pitch", "energy"} - controls
    assert model.controls == controls
    assert not [name for name, _ in model.named_parameters() if name.split(".")[0] in left_out]
    together = speak(model, TOKENS, LENGTHS)
    assert {name for name in ("pitch", "energy") if getattr(together, name) is None} == left_out
    for row, n in enumerate(LENGTHS.tolist()):
        alone = speak(model, TOKENS[row : row + 1, :n], LENGTHS[row : row + 1])
        torch.testing.assert_close(together.mel[row, : alone.mel.shape[1]], alone.mel[0], atol=1e-5, rtol=1e-5)


def test_energy_may_be_told_the_pitch() -> None:
    """ming024's wiring, on request: another pitch, another energy; the pitch itself does not see the energy."""
    model = tiny("small").eval()
    network = model.config.network.model_copy(update={"energy_sees_pitch": True})
    told = FastSpeech2(model.config.model_copy(update={"network": network})).eval()
    told.load_state_dict(model.state_dict())
    durations, tokens, lengths = torch.full((1, 5), 3), torch.tensor([[3, 5, PAUSE, 7, 8]]), torch.tensor([5])
    given = variances("small", durations)
    higher = Variances(given.durations, given.pitch_hz.flip(1), given.voiced, given.energy)
    first, second = told(tokens, lengths, given), told(tokens, lengths, higher)
    assert first.pitch.values.equal(second.pitch.values) and not first.energy.values.equal(second.energy.values)


def test_speakers_speak_differently_and_alone_as_in_a_batch() -> None:
    config = tiny("paper").config.model_copy(update={"speakers": ("ann", "ben")})
    torch.manual_seed(0)
    model = lively(FastSpeech2(config))
    assert {name for name, _ in model.named_parameters()} - {name for name, _ in tiny("paper").named_parameters()} == {
        "speaker_embedding.weight"
    }
    who = torch.tensor([1, 0, 1])
    together = model.infer(TOKENS, LENGTHS, speakers=who)
    for row, n in enumerate(LENGTHS.tolist()):
        tokens, length = TOKENS[row : row + 1, :n], LENGTHS[row : row + 1]
        alone = model.infer(tokens, length, speakers=who[row : row + 1])
        torch.testing.assert_close(together.mel[row, : alone.mel.shape[1]], alone.mel[0], atol=1e-5, rtol=1e-5)
        other = model.infer(tokens, length, speakers=1 - who[row : row + 1], durations=alone.durations)
        assert not other.mel.allclose(alone.mel, atol=1e-2)
    unnamed = model.infer(TOKENS, LENGTHS)
    assert unnamed.mel.equal(model.infer(TOKENS, LENGTHS, speakers=torch.zeros(3, dtype=torch.long)).mel)


def test_one_speaker_has_no_embedding() -> None:
    config = tiny("small").config
    assert FastSpeech2(config.model_copy(update={"speakers": ("ann",)})).speaker_embedding is None
    assert FastSpeech2(config).speaker_embedding is None
