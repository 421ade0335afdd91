"""ProDiff: phonemes to mel by a few steps of denoising (Huang et al., ACM MM 2022, arXiv 2207.06389).

    encoder and variance adaptor (`AdaptedEncoder`) -> condition of a denoiser -> T steps from noise to a mel

Diffusion happens in decadic logarithms without any normalisation, as in the paper's code: its schedule of noise is made
for their scale. Outside, mels are natural logarithms as everywhere.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from typing import ClassVar

import torch
from torch import Tensor

from speechkd.models.common.diffusion import (
    Step,
    coarse_steps,
    sample_by_posterior,
    sample_by_steps,
    student_steps,
    teacher_steps,
    vp_schedule,
)
from speechkd.models.tts.adaptor import Adapted, AdaptedEncoder, Variances
from speechkd.models.tts.denoiser import Denoiser
from speechkd.models.tts.interface import Spoken
from speechkd.models.tts.prodiff_config import ProDiffConfig

_LN10 = math.log(10.0)
# Between the generators of two seeds: more than any utterance has frames, times a thousand.
_APART = 1_000_003_000


@dataclass
class Denoised:
    """Output of one training pass; meaningless past the lengths."""

    adapted: Adapted  # of whole utterances
    noise: Tensor  # (B, F, n_mels) that was added
    made: Tensor  # (B, F, n_mels) what the denoiser gave: a clean mel in decadic logarithms, or noise
    clean: Tensor  # (B, F, n_mels) the clean mel in decadic logarithms, as the denoiser sees it


@dataclass
class TwoAnswers:
    """What a denoiser says at a level, and at the level that one step with this answer leads to, decadic logarithms."""

    noisy: Tensor  # (B, F, n_mels) what it is told at the level
    first: Tensor  # (B, F, n_mels) its answer
    second: Tensor  # (B, F, n_mels) its answer one step below


class ProDiff(AdaptedEncoder):
    """The acoustic model; `config` rebuilds it."""

    kind: ClassVar[str] = "prodiff"
    takes_durations: ClassVar[bool] = True
    config: ProDiffConfig

    def __init__(self, config: ProDiffConfig) -> None:
        super().__init__(config)
        chain = config.diffusion
        self.schedule = vp_schedule(chain.n_steps, chain.beta_min, chain.beta_max)
        self.denoiser = Denoiser(config.n_mels, config.network.hidden, config.network.denoiser)

    @property
    def steps(self) -> tuple[Step, ...]:
        """The chain that the model was trained for."""
        return student_steps(self.schedule, self.config.stride) if self.config.stride else teacher_steps(self.schedule)

    @property
    def step_counts(self) -> tuple[int, ...]:
        """The numbers of steps that it can speak in: all that divide those of its chain, rising."""
        return tuple(n for n in range(1, self.config.calls + 1) if self.config.calls % n == 0)

    def forward(
        self,
        tokens: Tensor,
        token_lengths: Tensor,
        variances: Variances,
        mel: Tensor,
        levels: Tensor,
        noise: Tensor,
        speakers: Tensor | None = None,
        starts: Tensor | None = None,
    ) -> Denoised:
        """Teacher-forced pass for training: denoise the mel (B, F, n_mels, natural logarithms) at a level of every row.

        tokens: (B, T) int64, token_lengths, levels, speakers: (B,), noise: (B, F, n_mels) standard normal. starts: (B,)
        the frame of the utterance with which each row of `mel` begins; unless given, the mels are whole. The encoder
        always sees whole utterances.
        """
        adapted = self.adapt(tokens, token_lengths, variances, speakers)
        states, mask = stretch_of(adapted, starts, mel.shape[1])
        noisy = self.schedule.diffuse(mel / _LN10, noise, levels)
        made = self.denoiser(noisy, levels - self.config.stride, states, mask)
        clean = made if self.config.diffusion.predicts == "x0" else self.schedule.clean(noisy, made, levels)
        return Denoised(adapted, noise, made, clean)

    @torch.no_grad()
    def two_steps(
        self,
        tokens: Tensor,
        token_lengths: Tensor,
        variances: Variances,
        mel: Tensor,
        levels: Tensor,
        noise: Tensor,
        speakers: Tensor | None = None,
        starts: Tensor | None = None,
    ) -> Tensor:
        """What a student must predict at these levels to land in one step where this model lands in two.

        Arguments as in `forward`; levels: multiples of the student's stride, or ValueError. Returns (B, F, n_mels) in
        decadic logarithms: x̃ = w x̂' + (1 - w) x̂, where x̂ is predicted at the level and x̂' one step of this model
        below it (Salimans and Ho's halving, ICLR 2022, as ProDiff uses it; `Schedule.mixture_weight` gives w).
        """
        said = self.two_answers(tokens, token_lengths, variances, mel, levels, noise, speakers, starts)
        step = max(1, self.config.stride)
        weights = [self.schedule.mixture_weight(level, level - step, level - 2 * step) for level in levels.tolist()]
        weight = torch.tensor(weights, dtype=said.first.dtype, device=said.first.device).view(-1, 1, 1)
        target: Tensor = weight * said.second + (1.0 - weight) * said.first
        return target

    @torch.no_grad()
    def two_answers(
        self,
        tokens: Tensor,
        token_lengths: Tensor,
        variances: Variances,
        mel: Tensor,
        levels: Tensor,
        noise: Tensor,
        speakers: Tensor | None = None,
        starts: Tensor | None = None,
    ) -> TwoAnswers:
        """The two predictions of which `two_steps` is made. Arguments and errors as there."""
        states, mask = stretch_of(self.adapt(tokens, token_lengths, variances, speakers), starts, mel.shape[1])
        step, index = max(1, self.config.stride), self.config.stride
        if wrong := [level for level in levels.tolist() if level < 2 * step or level % (2 * step)]:
            raise ValueError(f"level {wrong[0]} is not a multiple of a student's stride of {2 * step}")
        noisy, middle = self.schedule.diffuse(mel / _LN10, noise, levels), levels - step
        first = self.denoiser(noisy, levels - index, states, mask)
        halfway = self.schedule.ddim_rows(noisy, first, levels, middle)
        return TwoAnswers(noisy, first, self.denoiser(halfway, middle - index, states, mask))

    @torch.inference_mode()
    def infer(
        self,
        tokens: Tensor,
        token_lengths: Tensor,
        *,
        speakers: Tensor | None = None,
        durations: Tensor | None = None,
        speed: float = 1.0,
        pitch_semitones: float = 0.0,
        energy: float = 1.0,
        n_steps: int | None = None,
        noise: Tensor | None = None,
        seed: int = 0,
        deterministic: bool = False,
    ) -> Spoken:
        """Speak: see `AcousticModel.infer`.

        n_steps: fewer steps than the model was trained for, one of `step_counts`. noise: (B, F, n_mels) to start from;
        unless given it depends on the seed (under 2^31) and on the frames of an utterance alone, whatever the batch.
        deterministic: without new noise in the steps of a full chain, as along a shorter one, so that all of
        `step_counts` can be compared. ValueError for numbers of steps that do not divide those of the model.
        """
        adapted = self.adapt_freely(tokens, token_lengths, speakers, durations, speed, pitch_semitones, energy)
        mel = self.sample(adapted, n_steps, noise, seed, deterministic)
        f0_hz = None if adapted.pitch is None else adapted.pitch.f0_hz
        return Spoken(
            mel, adapted.lengths, adapted.durations, f0_hz=f0_hz, log_durations=adapted.log_durations
        )  # fmt: skip

    def sample(
        self,
        adapted: Adapted,
        n_steps: int | None = None,
        noise: Tensor | None = None,
        seed: int = 0,
        deterministic: bool = False,
    ) -> Tensor:
        """The mel (B, F, n_mels) in natural logarithms of adapted states, zero past the lengths. See `infer`."""
        lengths, draws = adapted.lengths.tolist(), count(1)
        noise = self.fixed_noise(lengths, 0, seed).to(adapted.states.device) if noise is None else noise

        def denoise(noisy: Tensor, step: Step) -> Tensor:
            index = torch.full_like(adapted.lengths, step.index)
            made: Tensor = self.denoiser(noisy, index, adapted.states, adapted.mask)
            if self.config.diffusion.predicts == "x0":
                return made
            return self.schedule.clean(noisy, made, torch.full_like(index, step.level))

        def draw(like: Tensor) -> Tensor:
            return self.fixed_noise(lengths, next(draws), seed).to(like.device)

        steps = coarse_steps(self.steps, n_steps or len(self.steps))
        # A teacher samples from the posterior. So does the paper's code with a student, one level beside what it knows.
        ancestral = not self.config.stride or self.config.sampler == "released"
        if ancestral and not deterministic and len(steps) == len(self.steps):
            mel = sample_by_posterior(self.schedule, steps, denoise, noise, draw) * _LN10
        else:
            mel = sample_by_steps(self.schedule, steps, denoise, noise) * _LN10
        return mel.masked_fill(~adapted.mask.unsqueeze(-1), 0.0)

    def fixed_noise(self, lengths: Sequence[int], number: int, seed: int = 0) -> Tensor:
        """Standard normal noise (B, F, n_mels): a row follows from its length, the number and the seed alone.

        Zero past the lengths.
        """

        def drawn(n_frames: int) -> Tensor:
            generator = torch.Generator().manual_seed(1000 * n_frames + number + _APART * seed)
            return torch.randn(n_frames, self.config.n_mels, generator=generator)

        return torch.nn.utils.rnn.pad_sequence([drawn(n) for n in lengths], batch_first=True)


def stretch_of(adapted: Adapted, starts: Tensor | None, n_frames: int) -> tuple[Tensor, Tensor]:
    """States (B, n_frames, C) and mask (B, n_frames) of the frames from `starts` (B,) on; all of them for None."""
    if starts is None:
        return adapted.states, adapted.mask
    places = starts.unsqueeze(1) + torch.arange(n_frames, device=starts.device)
    rows = torch.arange(len(starts), device=starts.device).unsqueeze(1)
    states = adapted.states[rows, places.clamp(max=adapted.states.shape[1] - 1)]
    return states, places < adapted.lengths.unsqueeze(1)
