"""FastSpeech: the published blocks, sizes and controls; a row of a batch is what it is alone."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from speechkd.models.common.fft import positions
from speechkd.models.tts.fastspeech import FastSpeech
from speechkd.models.tts.fastspeech_config import FastSpeechConfig, FastSpeechNetwork
from speechkd.models.tts.load import load_model, save_model
from tests.models.tts.says import Says

N_SYMBOLS, N_MELS, PAUSE = 20, 8, 18
FFT = {"layers": 2, "heads": 2, "conv_channels": 24, "conv_kernel": 3, "second_kernel": 3, "inner_dropout": 0.1}
SIZES = {"hidden": 16, "encoder": FFT, "decoder": FFT, "predictor": {"channels": 12, "dropout": 0.1}}
TOKENS = torch.tensor([[3, 5, PAUSE, 7, 0, 0, 0, 0], [19, 1, 2, 3, PAUSE, 5, 6, 4], [2, 2, 9, 0, 0, 0, 0, 0]])
LENGTHS = torch.tensor([4, 8, 3])


def made(
    seed: int = 0, speakers: tuple[str, ...] = (), pause_ids: tuple[int, ...] = (PAUSE,), **network: Any
) -> FastSpeech:
    sizes = SIZES | network
    torch.manual_seed(seed)
    mean, deviation = tuple(-5.0 + band for band in range(N_MELS)), (2.0,) * N_MELS
    config = FastSpeechConfig.model_validate(
        {"network": sizes, "n_symbols": N_SYMBOLS, "n_mels": N_MELS, "pause_ids": pause_ids, "speakers": speakers,
         "mel_mean": mean, "mel_deviation": deviation}
    )  # fmt: skip
    return FastSpeech(config).eval()


def lively(model: FastSpeech, frames: float = 4.0) -> FastSpeech:
    """The model, its untrained duration predictor moved to about `frames` per token."""
    with torch.no_grad():
        model.duration_predictor.project.bias.fill_(math.log(frames + 1))
        model.duration_predictor.project.weight.mul_(2.0)
    return model


def saying(frames: Tensor, **options: Any) -> FastSpeech:
    """A model that predicts exactly these durations (B, T)."""
    model = made(**options)
    model.duration_predictor = Says(torch.log1p(frames).unsqueeze(-1))
    return model


@pytest.mark.parametrize("speakers", [(), ("a", "b")])
def test_t11_a_row_of_a_padded_batch_is_what_it_is_alone(speakers: tuple[str, ...]) -> None:
    model = lively(made(speakers=speakers))
    numbers = torch.tensor([0, 1, 1])
    together = model.infer(TOKENS, LENGTHS, speakers=numbers)
    assert len(set(together.mel_lengths.tolist())) > 1
    for row, n_tokens in enumerate(LENGTHS.tolist()):
        one = slice(row, row + 1)
        alone = model.infer(TOKENS[one, :n_tokens], LENGTHS[one], speakers=numbers[one])
        n_frames = int(alone.mel_lengths[0])
        assert int(together.mel_lengths[row]) == n_frames
        assert together.durations[row].tolist() == alone.durations[0].tolist() + [0] * (8 - n_tokens)
        torch.testing.assert_close(together.mel[row, :n_frames], alone.mel[0], atol=1e-5, rtol=0)
        assert not together.mel[row, n_frames:].any()
        assert together.log_durations is not None and alone.log_durations is not None
        torch.testing.assert_close(together.log_durations[row, :n_tokens], alone.log_durations[0], atol=1e-5, rtol=0)


def test_t11_what_stands_in_the_padding_is_not_seen() -> None:
    model = lively(made())
    other = TOKENS.masked_fill(TOKENS == 0, 11)
    torch.testing.assert_close(model.infer(other, LENGTHS).mel, model.infer(TOKENS, LENGTHS).mel, atol=1e-5, rtol=0)


def attention_of(block: Any) -> nn.MultiheadAttention:
    """torch's own attention with the weights of a block."""
    theirs = nn.MultiheadAttention(16, 2, batch_first=True)
    theirs.in_proj_weight, theirs.in_proj_bias = block.attention.project_in.weight, block.attention.project_in.bias
    theirs.out_proj.weight, theirs.out_proj.bias = block.attention.project_out.weight, block.attention.project_out.bias
    return theirs


def published_stack(stack: Any, x: Tensor) -> Tensor:
    """u = LN(x + MHA(x)), y = LN(u + Conv2(ReLU(Conv1(u)))), position codes first (paper, section 3.1, figure 1b)."""
    x = x + positions(x.shape[1], x.shape[2], x)
    for block in stack.blocks:
        attended = attention_of(block)(x, x, x, need_weights=False)[0]
        u = block.attention_norm(x + attended)
        inner = torch.relu(block.feed_forward.expand(u.transpose(1, 2)))
        x = block.feed_forward_norm(u + block.feed_forward.contract(inner).transpose(1, 2))
    return x


def test_the_mel_is_that_of_the_published_equations() -> None:
    """Written out once more with torch's attention, a loop of repeats, and frames counted from 0 again."""
    model, durations = made(), torch.tensor([[2, 0, 3, 1]])
    tokens = TOKENS[:1, :4]
    with torch.no_grad():
        states = published_stack(model.encoder, model.embedding(tokens))
        repeated = torch.stack([states[0, i] for i, n in enumerate([2, 0, 3, 1]) for _ in range(n)])[None]
        decoded = model.mel_project(published_stack(model.decoder, repeated))
        found = model(tokens, torch.tensor([4]), durations)
    torch.testing.assert_close(found.mel, decoded * 2.0 + model.mel_mean, atol=1e-5, rtol=0)
    assert found.mel_lengths.tolist() == [6]


def test_the_papers_sizes_and_their_count() -> None:
    """6 + 6 blocks, 384, 2 heads, 1536, k = 3; 50.1 million, although the paper prints 30.1."""
    network = FastSpeechNetwork()
    for stack in (network.encoder, network.decoder):
        sizes = (stack.layers, stack.heads, stack.conv_channels, stack.conv_kernel, stack.second_kernel, stack.dropout)
        assert sizes == (6, 2, 1536, 3, 3, 0.1) and stack.inner_dropout == 0.1
    assert (network.hidden, network.predictor.layers, network.predictor.channels, network.predictor.kernel) == (
        384, 2, 256, 3,
    )  # fmt: skip
    with torch.device("meta"):
        model = FastSpeech(FastSpeechConfig(n_symbols=51, n_mels=80, mel_mean=(0.0,) * 80, mel_deviation=(1.0,) * 80))
    d, f = 384, 1536
    block = 4 * (d * d + d) + 2 * 3 * d * f + f + d + 4 * d
    predictor = 3 * d * 256 + 256 + 3 * 256 * 256 + 256 + 4 * 256 + 256 + 1
    count = sum(parameter.numel() for parameter in model.parameters())
    assert count == 12 * block + predictor + 51 * d + d * 80 + 80
    assert round(count / 1e6, 1) == 50.1


def test_fully_connected_layers_three_times_as_wide_are_of_the_same_size() -> None:
    """The ablation of table 4 replaces convolutions by layers "of similar parameter count"."""
    wide = FastSpeechNetwork().encoder.model_dump() | {"conv_kernel": 1, "second_kernel": 1, "conv_channels": 3 * 1536}
    with torch.device("meta"):
        networks = FastSpeechNetwork(), FastSpeechNetwork.model_validate({"encoder": wide, "decoder": wide})
        models = [made(**network.model_dump()) for network in networks]
    counts = [sum(parameter.numel() for parameter in model.parameters()) for model in models]
    assert counts[0] == pytest.approx(counts[1], rel=0.01)


def test_t01_speed_rounds_half_up_the_scaled_duration() -> None:
    model = saying(torch.tensor([[2.0, 2.0, 3.0, 1.0]]))
    tokens, lengths = TOKENS[:1, :4], LENGTHS[:1]
    assert model.infer(tokens, lengths, speed=1 / 1.3).durations.tolist() == [[3, 3, 4, 1]]
    assert model.infer(tokens, lengths, speed=2.0).durations.tolist() == [[1, 1, 2, 1]]
    assert model.infer(tokens, lengths).mel_lengths.tolist() == [8]


def test_t01_halves_survive_the_logarithm() -> None:
    """Twice as fast, odd durations end at a half: log(d + 1) and back, in single precision, must not lose it."""
    durations = torch.arange(1.0, 51.0)[None]
    tokens = torch.ones(1, 50, dtype=torch.int64)
    spoken = saying(durations).infer(tokens, torch.tensor([50]), speed=2.0)
    assert spoken.durations.tolist() == [[(d + 1) // 2 for d in range(1, 51)]]


def test_t02_speed_scales_what_has_not_been_rounded() -> None:
    """1.4 · 2 = 2.8 -> 3; rounded first it would be 2."""
    model = saying(torch.tensor([[1.4]]))
    assert model.infer(TOKENS[:1, :1], torch.tensor([1]), speed=0.5).durations.tolist() == [[3]]


def test_t03_every_utterance_has_a_frame() -> None:
    """The longest token gets it: in the first row the second, in the padded row the only one."""
    model = saying(torch.tensor([[0.1, 0.3, 0.2], [0.0, 9.0, 9.0]]))
    spoken = model.infer(TOKENS[:2, :3], torch.tensor([3, 1]))
    assert spoken.durations.tolist() == [[0, 1, 0], [1, 0, 0]]
    assert spoken.mel_lengths.tolist() == [1, 1] and spoken.mel.isfinite().all()


def test_t06_tokens_without_frames_in_a_row() -> None:
    model, durations = made(), torch.tensor([[0, 0, 3, 0, 0, 0, 2, 0]])
    out = model(TOKENS[1:2], LENGTHS[1:2], durations)
    assert out.mel.shape == (1, 5, N_MELS) and out.mel.isfinite().all()


def test_t12_a_duration_below_one_frame_can_be_said() -> None:
    """log(d + 1) is not clipped at 0: a token without frames must be able to pull the output below it."""
    model = made()
    with torch.no_grad():
        model.duration_predictor.project.bias.fill_(-0.5)
        model.duration_predictor.project.weight.zero_()
    spoken = model.infer(TOKENS, LENGTHS)
    assert spoken.log_durations is not None and spoken.log_durations[0, 0] == -0.5
    assert spoken.mel_lengths.tolist() == [1, 1, 1]


@pytest.mark.parametrize("mode", [True, False])
def test_t13_one_utterance_of_one_token_keeps_its_axes(mode: bool) -> None:
    model = made().train(mode)
    out = model(torch.tensor([[3]]), torch.tensor([1]), torch.tensor([[4]]))
    assert out.log_durations.shape == (1, 1) and out.mel.shape == (1, 4, N_MELS)


def test_t14_speech_of_any_length_has_position_codes() -> None:
    """Longer than the tables of 1000 and 3000 places that are common; every code is another one."""
    model = made()
    out = model(torch.tensor([[3, 4]]), torch.tensor([2]), torch.tensor([[1200, 2000]]))
    assert out.mel.shape == (1, 3200, N_MELS) and out.mel.isfinite().all()
    codes = positions(3200, 16, out.mel)
    assert len(torch.unique(codes, dim=0)) == 3200


def test_the_code_of_frames_starts_again_at_zero() -> None:
    """Equal states give equal frames where codes are equal: a token's frames do not remember its place in the text."""
    model, seen = made(), []
    model.encoder.forward = lambda x, mask: torch.ones_like(x)  # type: ignore[method-assign]
    model.decoder.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    model(TOKENS[:1, :4], torch.tensor([4]), torch.tensor([[0, 0, 2, 1]]))
    assert torch.equal(seen[0], torch.ones(1, 3, 16))


def test_breaks_lengthen_pauses_alone_and_by_a_constant() -> None:
    model = saying(torch.tensor([[2.0, 2.0, 3.0, 1.0]]))
    tokens, lengths, breaks = TOKENS[:1, :4], LENGTHS[:1], torch.tensor([[0, 0, 7, 0]])
    assert model.infer(tokens, lengths, breaks=breaks).durations.tolist() == [[2, 2, 10, 1]]
    assert model.infer(tokens, lengths, breaks=breaks, speed=2.0).durations.tolist() == [[1, 1, 9, 1]]
    forced = torch.tensor([[1, 1, 0, 1]])
    assert model.infer(tokens, lengths, durations=forced, breaks=breaks).durations.tolist() == [[1, 1, 7, 1]]


@pytest.mark.parametrize("breaks", [[[0, 3, 0, 0]], [[0, 0, -1, 0]]])
def test_a_break_within_a_word_is_refused(breaks: list[list[int]]) -> None:
    with pytest.raises(ValueError, match="between words"):
        made().infer(TOKENS[:1, :4], LENGTHS[:1], breaks=torch.tensor(breaks))


def test_given_durations_are_used_as_they_are() -> None:
    given = torch.tensor([[1, 0, 4, 2]])
    spoken = lively(made()).infer(TOKENS[:1, :4], LENGTHS[:1], durations=given, speed=3.0)
    assert spoken.durations.tolist() == given.tolist() and spoken.mel_lengths.tolist() == [7]


@pytest.mark.parametrize("detach", [False, True])
def test_the_duration_loss_reaches_the_encoder_unless_told_not_to(detach: bool) -> None:
    model = made(detach_duration=detach)
    out = model(TOKENS, LENGTHS, torch.ones_like(TOKENS))
    out.log_durations.square().sum().backward()
    gradient = model.encoder.blocks[0].feed_forward.expand.weight.grad
    assert (gradient is None) if detach else bool(gradient.abs().sum() > 0)


def test_speakers_differ_and_the_first_is_the_default() -> None:
    model = lively(made(speakers=("a", "b")))
    durations = torch.full_like(TOKENS[:1, :4], 3)
    mels = [
        model.infer(TOKENS[:1, :4], LENGTHS[:1], speakers=number, durations=durations).mel
        for number in (None, torch.tensor([0]), torch.tensor([1]))
    ]
    assert torch.equal(mels[0], mels[1]) and not torch.allclose(mels[0], mels[2])
    assert made(speakers=("only",)).speaker_embedding is None


def test_the_controls_that_it_has() -> None:
    model = lively(made())
    assert (model.kind, model.controls, model.takes_durations) == ("fastspeech", {"speed"}, True)
    plain = model.infer(TOKENS, LENGTHS).mel
    assert torch.equal(model.infer(TOKENS, LENGTHS, pitch_semitones=3, energy=2).mel, plain)


def test_it_is_what_it_was_after_saving(tmp_path: Path) -> None:
    model = lively(made(speakers=("a", "b"), detach_duration=True))
    save_model(tmp_path, model)
    loaded = load_model(tmp_path)
    assert isinstance(loaded, FastSpeech) and loaded.config == model.config
    assert torch.equal(loaded.infer(TOKENS, LENGTHS).mel, model.infer(TOKENS, LENGTHS).mel)


@pytest.mark.parametrize(
    ("network", "message"),
    [({"hidden": 15}, "do not divide"), ({"predictor": {"kernel": 4}}, "must be odd")],
)
def test_sizes_that_do_not_fit_are_named(network: dict[str, Any], message: str) -> None:
    config = FastSpeechNetwork.model_validate(network)
    assert any(message in text for _, text in config.problems())
