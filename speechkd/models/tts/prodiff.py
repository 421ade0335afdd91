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


@dataclass
class Denoised:
    """Output of one training pass; meaningless past the lengths."""

    adapted: Adapted
    noise: Tensor  # (B, F, n_mels) that was added
    made: Tensor  # (B, F, n_mels) what the denoiser gave: a clean mel in decadic logarithms, or noise
    clean: Tensor  # (B, F, n_mels) the clean mel in decadic logarithms, as the denoiser sees it


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

    def forward(
        self,
        tokens: Tensor,
        token_lengths: Tensor,
        variances: Variances,
        mel: Tensor,
        levels: Tensor,
        noise: Tensor,
        speakers: Tensor | None = None,
    ) -> Denoised:
        """Teacher-forced pass for training: denoise the mel (B, F, n_mels, natural logarithms) at a level of every row.

        tokens: (B, T) int64, token_lengths, levels, speakers: (B,), noise: (B, F, n_mels) standard normal.
        """
        adapted = self.adapt(tokens, token_lengths, variances, speakers)
        noisy = self.schedule.diffuse(mel / _LN10, noise, levels)
        made = self.denoiser(noisy, levels - self.config.stride, adapted.states, adapted.mask)
        clean = made if self.config.diffusion.predicts == "x0" else self.schedule.clean(noisy, made, levels)
        return Denoised(adapted, noise, made, clean)

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
    ) -> Spoken:
        """Speak: see `AcousticModel.infer`.

        n_steps: fewer steps than the model was trained for, a divisor of those. noise: (B, F, n_mels) to start from;
        unless given it is always the same for an utterance of so many frames, whatever the batch. ValueError for
        numbers of steps that do not divide those of the model.
        """
        adapted = self.adapt_freely(tokens, token_lengths, speakers, durations, speed, pitch_semitones, energy)
        mel = self.sample(adapted, n_steps, noise)
        f0_hz = None if adapted.pitch is None else adapted.pitch.f0_hz
        return Spoken(
            mel, adapted.lengths, adapted.durations, f0_hz=f0_hz, log_durations=adapted.log_durations
        )  # fmt: skip

    def sample(self, adapted: Adapted, n_steps: int | None = None, noise: Tensor | None = None) -> Tensor:
        """The mel (B, F, n_mels) in natural logarithms of adapted states, zero past the lengths. See `infer`."""
        lengths, draws = adapted.lengths.tolist(), count(1)
        noise = self.fixed_noise(lengths, 0).to(adapted.states.device) if noise is None else noise

        def denoise(noisy: Tensor, step: Step) -> Tensor:
            index = torch.full_like(adapted.lengths, step.index)
            made: Tensor = self.denoiser(noisy, index, adapted.states, adapted.mask)
            if self.config.diffusion.predicts == "x0":
                return made
            return self.schedule.clean(noisy, made, torch.full_like(index, step.level))

        def draw(like: Tensor) -> Tensor:
            return self.fixed_noise(lengths, next(draws)).to(like.device)

        steps = coarse_steps(self.steps, n_steps or len(self.steps))
        # A teacher samples from the posterior. So does the paper's code with a student, one level beside what it knows.
        ancestral = not self.config.stride or self.config.sampler == "released"
        if ancestral and len(steps) == len(self.steps):
            mel = sample_by_posterior(self.schedule, steps, denoise, noise, draw) * _LN10
        else:
            mel = sample_by_steps(self.schedule, steps, denoise, noise) * _LN10
        return mel.masked_fill(~adapted.mask.unsqueeze(-1), 0.0)

    def fixed_noise(self, lengths: Sequence[int], number: int) -> Tensor:
        """Standard normal noise (B, F, n_mels) that depends on a row's own length and a number alone; zero past it."""
        rows = [
            torch.randn(n, self.config.n_mels, generator=torch.Generator().manual_seed(1000 * n + number))
            for n in lengths
        ]
        return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)
