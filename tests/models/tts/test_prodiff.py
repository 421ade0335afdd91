"""ProDiff: its denoiser, its chains, and that padding and batches change nothing."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from speechkd.models.tts.adaptor import Variances
from speechkd.models.tts.denoiser import Denoiser
from speechkd.models.tts.load import load_model, save_model
from speechkd.models.tts.prodiff import ProDiff
from speechkd.models.tts.prodiff_config import DenoiserConfig, DiffusionConfig, ProDiffConfig, ProDiffNetworkConfig
from tests.models.tts.test_fastspeech2 import LENGTHS, N_MELS, N_SYMBOLS, STATISTICS, TINY, TOKENS, lively, variances

DURATIONS = torch.tensor([[2, 0, 1, 3, 0, 0, 0, 0], [1, 2, 2, 1, 0, 3, 4, 2], [1, 1, 2, 0, 0, 0, 0, 0]])
STACK = {"layers": 1, "heads": 2, "conv_channels": 12, "conv_kernel": 3}


def model(stride: int = 0, kind: str = "small", **diffusion: Any) -> ProDiff:
    network = ProDiffNetworkConfig.model_validate(
        {
            "hidden": 16,
            "encoder": STACK,
            "predictor": {"channels": 12},
            "denoiser": {"layers": 3, "channels": 8, "dilation_cycle": 2},
        }
        | TINY[kind]
    )
    torch.manual_seed(1)
    made = ProDiff(
        ProDiffConfig(
            network=network, n_symbols=N_SYMBOLS, n_mels=N_MELS, statistics=STATISTICS, stride=stride,
            diffusion=DiffusionConfig(**diffusion),
        )
    )  # fmt: skip
    torch.nn.init.normal_(made.denoiser.output.weight, std=0.3)  # as if it were trained
    return lively(made)  # type: ignore[arg-type, return-value]


def test_the_papers_denoiser_has_the_size_of_its_formula() -> None:
    made = Denoiser(80, 256, DenoiserConfig())
    c = 256
    layer = (c * c + c) + (c * 2 * c + 2 * c) + (3 * c * 2 * c + 2 * c) + (c * 2 * c + 2 * c)
    level = (c * 4 * c + 4 * c) + (4 * c * c + c)
    assert sum(p.numel() for p in made.parameters()) == 80 * c + c + level + 20 * layer + c * c + c + c * 80 + 80
    assert set(DenoiserConfig().dilations) == {1}
    assert DenoiserConfig(layers=5, dilation_cycle=2).dilations == (1, 2, 1, 2, 1)


def test_an_untrained_denoiser_says_nothing_and_looks_20_frames_around() -> None:
    torch.manual_seed(0)  # with few channels, a frame may by chance be silenced by every ReLU
    made = Denoiser(5, 4, DenoiserConfig(layers=20, channels=8)).double()
    x, c = torch.randn(1, 61, 5).double(), torch.randn(1, 61, 4).double()
    torch.testing.assert_close(made(x, torch.tensor([3]), c)[0], made.output.bias.float().expand(61, 5))
    torch.nn.init.normal_(made.output.weight)
    x.requires_grad_()
    (heard,) = torch.autograd.grad(made(x, torch.tensor([3]), c)[0, 30].sum(), x)
    assert heard.abs().sum(dim=-1)[0].nonzero().flatten().tolist() == list(range(10, 51))


def test_a_layer_by_hand() -> None:
    """One layer, one frame, written out from section 2 of the paper."""
    made = Denoiser(3, 2, DenoiserConfig(layers=1, channels=4, kernel=1)).double()
    torch.nn.init.normal_(made.output.weight)
    noisy, condition = torch.randn(1, 1, 3).double(), torch.randn(1, 1, 2).double()
    layer: Any = made.layers[0]

    def conv(each: Any, x: Tensor) -> Tensor:
        return each.weight[:, :, 0] @ x + each.bias

    x = torch.relu(conv(made.input, noisy[0, 0]))
    angles = torch.tensor([2.0 * 1.0, 2.0 * 1e-4])
    e = made.level.layers.double()(torch.cat([angles.sin(), angles.cos()]).double())
    y = conv(layer.gates, x + layer.level(e)) + conv(layer.condition, condition[0, 0])
    z = torch.sigmoid(y[:4]) * torch.tanh(y[4:])
    skip = conv(layer.project, z)[4:]
    expected = conv(made.output, torch.relu(conv(made.skip, skip / math.sqrt(1))))
    got = made(noisy, torch.tensor([2]), condition)[0, 0]
    torch.testing.assert_close(got, expected.float(), atol=1e-5, rtol=0)


@pytest.mark.parametrize("stride", [0, 2])
@pytest.mark.parametrize("kind", TINY)
def test_speaking_in_a_batch_is_speaking_alone(stride: int, kind: str) -> None:
    speaker = model(stride, kind)
    together = speaker.infer(TOKENS, LENGTHS)
    assert together.mel.shape[1:] == (int(together.mel_lengths.max()), N_MELS)
    for row, n in enumerate(LENGTHS.tolist()):
        alone = speaker.infer(TOKENS[row : row + 1, :n], LENGTHS[row : row + 1])
        length = int(alone.mel_lengths[0])
        torch.testing.assert_close(together.mel[row, :length], alone.mel[0], atol=1e-4, rtol=1e-4)
        assert not together.mel[row, length:].any() and float(alone.mel.std()) > 0.1


class Counting:
    """Counts calls of a denoiser and keeps what it was told."""

    def __init__(self, denoiser: Any) -> None:
        self.seen: list[tuple[int, Tensor]] = []
        denoiser.register_forward_pre_hook(self._note)

    def _note(self, _: Any, args: tuple[Tensor, ...]) -> None:
        self.seen.append((int(args[1][0]), args[0].clone()))


def test_d1_the_student_asks_twice_and_the_teacher_four_times() -> None:
    for stride, n_steps, expected in (
        (0, None, [3, 2, 1, 0]), (2, None, [2, 0]), (2, 1, [2]), (0, 2, [3, 1]), (0, 4, [3, 2, 1, 0]),
    ):  # fmt: skip
        speaker = model(stride)
        counting = Counting(speaker.denoiser)
        speaker.infer(TOKENS, LENGTHS, n_steps=n_steps)
        assert [index for index, _ in counting.seen] == expected
    with pytest.raises(ValueError, match="3 does not divide the 2 steps"):
        model(2).infer(TOKENS, LENGTHS, n_steps=3)
    assert (model().config.calls, model(2).config.calls) == (4, 2)


def test_d2_d3_the_student_gets_what_it_was_trained_on() -> None:
    """Training: conditioned on t - 2 at level t. Speaking, matched: the second call is at level 2; released: at 1."""
    speaker = model(2)
    counting = Counting(speaker.denoiser)
    mel, noise = torch.randn(3, 15, N_MELS), torch.randn(3, 15, N_MELS)
    levels = torch.tensor([4, 2, 4])
    with torch.inference_mode():
        speaker(TOKENS, LENGTHS, variances("small", DURATIONS), mel, levels, noise)
    index, noisy = counting.seen.pop()
    assert index == 2
    torch.testing.assert_close(noisy, speaker.schedule.diffuse(mel / math.log(10.0), noise, levels))
    start = torch.randn(3, int(speaker.infer(TOKENS, LENGTHS).mel_lengths.max()), N_MELS)
    for sampler, second in (("matched", speaker.schedule.ddim), ("released", None)):
        speaker.config = speaker.config.model_copy(update={"sampler": sampler})
        counting.seen.clear()
        speaker.infer(TOKENS, LENGTHS, noise=start)
        (_, first), (index, middle) = counting.seen
        assert index == 0 and first.equal(start)
        adapted = speaker.adapt_freely(TOKENS, LENGTHS)
        with torch.inference_mode():
            clean = speaker.denoiser(start, torch.full((3,), 2), adapted.states, adapted.mask)
        if second is not None:
            torch.testing.assert_close(middle, second(start, clean, 4, 2))
        else:  # one level under the index: posterior of 2 with new noise
            c1, c2, variance = speaker.schedule.posterior(2)
            rest = (middle - c1 * clean - c2 * start) / math.sqrt(variance)
            assert float(rest[1].std()) == pytest.approx(1.0, abs=0.15)


def test_noise_that_is_predicted_is_turned_into_the_mel() -> None:
    speaker = model(predicts="noise")
    mel, noise = torch.randn(3, 15, N_MELS), torch.randn(3, 15, N_MELS)
    with torch.inference_mode():
        out = speaker(TOKENS, LENGTHS, variances("small", DURATIONS), mel, torch.tensor([0, 1, 2]), noise)
    alpha, sigma = (torch.tensor([each(level) for level in range(3)]).view(3, 1, 1)
                    for each in (speaker.schedule.alpha, speaker.schedule.sigma))  # fmt: skip
    noisy = alpha * mel / math.log(10.0) + sigma * noise
    torch.testing.assert_close(out.clean, (noisy - sigma * out.made) / alpha, atol=1e-3, rtol=1e-3)
    assert speaker.infer(TOKENS, LENGTHS).mel.isfinite().all()


def test_other_noise_is_another_mel_and_the_same_noise_the_same() -> None:
    speaker = model(2)
    first, again = speaker.infer(TOKENS, LENGTHS).mel, speaker.infer(TOKENS, LENGTHS).mel
    other = speaker.infer(TOKENS, LENGTHS, noise=torch.randn(*first.shape)).mel
    assert first.equal(again) and not first.equal(other)


def test_the_seed_chooses_the_noise() -> None:
    """Seeds do not meet: the noise of one is that of no other, at any step, for any length."""
    speaker = model(2)
    first, again, other = (speaker.infer(TOKENS, LENGTHS, seed=seed).mel for seed in (7, 7, 8))
    assert first.equal(again) and not first.equal(other)
    assert speaker.infer(TOKENS, LENGTHS).mel.equal(speaker.infer(TOKENS, LENGTHS, seed=0).mel)
    draws = [speaker.fixed_noise([n], number, seed)[0, 0, 0].item() for n in (1, 2, 9) for number in (0, 1, 3)
             for seed in (0, 1, 2, 2**31 - 1)]  # fmt: skip
    assert len(set(draws)) == len(draws)


def test_numbers_of_steps_that_divide_the_chain() -> None:
    assert model().step_counts == (1, 2, 4) and model(2).step_counts == (1, 2)
    assert model(n_steps=6).step_counts == (1, 2, 3, 6)
    assert model(n_steps=128).step_counts == (1, 2, 4, 8, 16, 32, 64, 128)


@pytest.mark.parametrize("predicts", ["x0", "noise"])
@pytest.mark.parametrize("steps", [1, 2, 4, 16, 128])
def test_a_long_chain_goes_down_as_many_levels_at_a_time_as_it_must(predicts: str, steps: int) -> None:
    """DDIM written out, in double precision: from level 127 down, 128 / steps levels at a time, without new noise."""
    speaker = model(n_steps=128, predicts=predicts)
    answers: list[tuple[int, Tensor, Tensor]] = []
    speaker.denoiser.register_forward_hook(lambda _, args, out: answers.append((int(args[1][0]), args[0], out)))
    start = torch.randn(3, 15, N_MELS)
    mel = speaker.infer(TOKENS, LENGTHS, durations=DURATIONS, noise=start, n_steps=steps, deterministic=True).mel
    levels = list(range(127, -1, -(128 // steps)))
    assert [index for index, _, _ in answers] == levels and answers[0][1].equal(start)
    lower = [*levels[1:], None]
    for (level, noisy, made), below, after in zip(answers, lower, [*answers[1:], None], strict=True):
        a, s = (each(level) for each in (speaker.schedule.alpha, speaker.schedule.sigma))
        x, out = noisy.double(), made.double()
        clean = out if predicts == "x0" else (x - s * out) / a
        if below is None or after is None:
            real = torch.arange(15) < DURATIONS.sum(dim=1)[:, None]
            # Where the noise is predicted, the last step multiplies its rounding.
            torch.testing.assert_close(mel[real].double(), (clean * math.log(10.0))[real], atol=1e-3, rtol=1e-4)
        else:
            b, q = (each(below) for each in (speaker.schedule.alpha, speaker.schedule.sigma))
            scale = float(x.abs().max())
            torch.testing.assert_close(
                after[1].double(), b * clean + q / s * (x - a * clean), atol=1e-5 * scale, rtol=1e-4
            )


def test_a_whole_chain_draws_new_noise_unless_it_is_told_not_to() -> None:
    """A teacher's own way of speaking; a shorter chain and a student are deterministic anyway."""
    start = torch.randn(3, 15, N_MELS)

    def said(speaker: ProDiff, **how: Any) -> Tensor:
        return speaker.infer(TOKENS, LENGTHS, durations=DURATIONS, noise=start, **how).mel

    assert not said(model()).allclose(said(model(), deterministic=True))
    assert said(model(), n_steps=4).equal(said(model()))
    for speaker, steps in ((model(), 2), (model(2), 2), (model(2), 1)):
        assert said(speaker, n_steps=steps).equal(said(speaker, n_steps=steps, deterministic=True))


def test_a_stretch_is_heard_as_within_the_whole_utterance() -> None:
    """Three layers with dilations 1, 2, 1 look 4 frames around: further inside nothing differs. Past the end: zeros."""
    speaker, given = model(2), variances("small", DURATIONS)
    mel, noise, levels = torch.randn(3, 15, N_MELS), torch.randn(3, 15, N_MELS), torch.tensor([4, 2, 4])
    n_frames, starts = 13, torch.tensor([0, 2, 1])
    lengths = DURATIONS.sum(dim=1)

    def cut(whole: Tensor) -> Tensor:
        padded = torch.nn.functional.pad(whole, (0, 0, 0, n_frames))
        return torch.stack([row[start : start + n_frames] for row, start in zip(padded, starts, strict=True)])

    with torch.inference_mode():
        whole = speaker(TOKENS, LENGTHS, given, mel, levels, noise)
        part = speaker(TOKENS, LENGTHS, given, cut(mel), levels, cut(noise), starts=starts)
        same = speaker(TOKENS, LENGTHS, given, mel, levels, noise, starts=torch.zeros(3, dtype=torch.long))
    torch.testing.assert_close(same.clean, whole.clean)
    for row, (start, length) in enumerate(zip(starts.tolist(), lengths.tolist(), strict=True)):
        inside = slice(4 if start else 0, length - start)  # the end of the utterance is the end of the whole one, too
        torch.testing.assert_close(part.clean[row, inside], cut(whole.clean)[row, inside], atol=1e-5, rtol=1e-5)
        assert not part.clean[row, length - start :].any()
    assert not torch.allclose(part.clean[1, 0], cut(whole.clean)[1, 0])  # the first frames do miss what came before


@pytest.mark.parametrize(("stride", "top", "levels"), [(0, 4, [4, 2, 4]), (0, 4, [2, 2, 2]), (2, 8, [8, 4, 8])])
def test_the_target_is_where_two_steps_land(stride: int, top: int, levels: list[int]) -> None:
    """The subtraction form, (x'' - σ''/σ x) / (α'' - σ''/σ α), of the teacher's two answers, in double precision."""
    teacher = model(stride, n_steps=top)
    answers: list[tuple[int, Tensor, Tensor]] = []
    teacher.denoiser.register_forward_hook(lambda _, args, out: answers.append((int(args[1][0]), args[0], out)))
    mel, noise, at = torch.randn(3, 15, N_MELS), torch.randn(3, 15, N_MELS), torch.tensor(levels)
    target = teacher.two_steps(TOKENS, LENGTHS, variances("small", DURATIONS), mel, at, noise)
    assert len(answers) == 2 and at.tolist() == levels and not target.requires_grad
    step, schedule = max(1, stride), teacher.schedule
    assert [index for index, _, _ in answers] == [levels[0] - stride, levels[0] - step - stride]
    for row, level in enumerate(levels):
        (a, b, c), (p, q, r) = ([each(level - step * k) for k in range(3)] for each in (schedule.alpha, schedule.sigma))
        noisy, first, second = (each[row].double() for each in (answers[0][1], answers[0][2], answers[1][2]))
        torch.testing.assert_close(noisy, a * mel[row].double() / math.log(10.0) + p * noise[row], atol=1e-6, rtol=0)
        halfway = b * first + q / p * (noisy - a * first)
        torch.testing.assert_close(answers[1][1][row].double(), halfway, atol=1e-5, rtol=0)
        landed = c * second + r / q * (halfway - b * second)
        expected = (landed - r / p * noisy) / (c - r / p * a)
        torch.testing.assert_close(target[row].double(), expected, atol=1e-5, rtol=1e-5)


def test_the_two_answers_are_those_that_make_the_target() -> None:
    teacher, at = model(), torch.tensor([4, 2, 4])
    mel, noise = torch.randn(3, 15, N_MELS), torch.randn(3, 15, N_MELS)
    arguments = (TOKENS, LENGTHS, variances("small", DURATIONS), mel, at, noise)
    said, target = teacher.two_answers(*arguments), teacher.two_steps(*arguments)
    torch.testing.assert_close(said.noisy, teacher.schedule.diffuse(mel / math.log(10.0), noise, at))
    for row, weight in enumerate((0.9410, 0.7959, 0.9410)):
        mixture = weight * said.second[row] + (1 - weight) * said.first[row]
        torch.testing.assert_close(target[row], mixture, atol=1e-3, rtol=1e-3)
    with pytest.raises(ValueError, match="level 3 is not a multiple"):
        teacher.two_answers(*arguments[:4], torch.tensor([4, 3, 2]), noise)


def test_d17_the_mel_teaches_the_encoder() -> None:
    speaker = model().train()
    out = speaker(
        TOKENS, LENGTHS, variances("small", DURATIONS), torch.randn(3, 15, N_MELS), torch.tensor([4, 3, 1]),
        torch.randn(3, 15, N_MELS),
    )  # fmt: skip
    out.made.square().sum().backward()
    reached = {name.split(".")[0] for name, p in speaker.named_parameters() if p.grad is not None and p.grad.any()}
    assert {"embedding", "encoder", "denoiser"} <= reached and "duration_predictor" not in reached


def test_saved_and_loaded_it_speaks_the_same(tmp_path: Path) -> None:
    speaker = model(2)
    save_model(tmp_path, speaker)
    loaded: Any = load_model(tmp_path)
    assert loaded.kind == "prodiff" and loaded.config == speaker.config
    assert loaded.infer(TOKENS, LENGTHS).mel.equal(speaker.infer(TOKENS, LENGTHS).mel)


def test_wrong_sizes_are_named() -> None:
    assert [key for key, _ in DenoiserConfig.model_construct(kernel=2, channels=3).problems()] == ["kernel", "channels"]
    config = model(2).config.model_dump() | {"stride": 3}
    assert [key for key, _ in ProDiffConfig.model_validate(config).problems()] == ["stride"]


def test_variances_are_those_of_fastspeech2() -> None:
    given: Variances = variances("small", DURATIONS)
    speaker = model()
    adapted = speaker.adapt(TOKENS, LENGTHS, given)
    assert adapted.lengths.tolist() == DURATIONS.sum(dim=1).tolist() and speaker.controls == {
        "speed",
        "pitch",
        "energy",
    }
