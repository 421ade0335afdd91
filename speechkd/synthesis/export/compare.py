"""How far a voice's onnx graphs are from its weights in torch: the same tokens through both."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from speechkd.synthesis.engines.interface import Delivery, Engine, FloatArray

SENTENCES = (
    "Yes.",
    "Good morning.",
    "The rain had stopped by the time they reached the old bridge.",
    "Did anyone tell you, when you were young, that the moon follows the train?",
    "Twelve people wrote to the mayor in March, and nine of them got an answer; the others, as far as anyone knows, "
    "are still waiting for a word about the road, the school and the broken fountain in the market square.",
)
DELIVERIES = (Delivery(), Delivery(speed=1.3, pitch=2.0, energy=0.8))
_CLOSE = 1e-3
_VOCODED_FRAMES = 100


@dataclass(frozen=True)
class Difference:
    """Two engines over the same utterances. Frames are compared where the durations agree."""

    n_utterances: int
    n_tokens: int
    n_durations_apart: int  # tokens that last another number of frames
    n_frames: int
    n_frames_apart: int  # frames of which a mel band differs by more than 0.001
    mel_max: float
    mel_mean: float
    samples_max: float | None  # of vocoders over the same mels, up to `_VOCODED_FRAMES` each; else of the models
    makes_samples: bool = False  # by the models themselves: then there are no mels to compare

    def lines(self) -> list[str]:
        """For people."""
        apart = f"{self.n_durations_apart} of {self.n_tokens}" if self.n_durations_apart else "none"
        told = [
            f"against torch, {self.n_utterances} utterances, {self.n_frames} frames; durations that differ: {apart}"
        ]
        if self.makes_samples:
            return [*told, f"samples: differ by {self.samples_max or 0.0:.2g} at most"]
        told.append(
            f"mel: differs by {self.mel_mean:.2g} on average and by {self.mel_max:.2g} at most (natural log); "
            f"{self.n_frames_apart} of {self.n_frames} frames by more than {_CLOSE:g}"
        )
        if self.samples_max is not None:
            told.append(f"vocoder: samples differ by {self.samples_max:.2g} at most, for the same mel")
        return told


def compare(one: Engine, other: Engine, utterances: Iterable[Sequence[int]]) -> Difference:
    """The difference of two engines over utterances of symbol numbers, each in all `DELIVERIES` that it obeys."""
    durations, mels, samples = [], [], []
    n_tokens, n_frames, makes_samples = 0, 0, False
    for numbers in utterances:
        for delivery in DELIVERIES:
            own = _obeyed(delivery, one.controls)
            mine, theirs = one.predict(numbers, own), other.predict(numbers, own)
            n_tokens += len(numbers)
            durations.append(int((mine.durations != theirs.durations).sum()))
            makes_samples |= mine.samples is not None
            if durations[-1]:
                continue
            n_frames += mine.n_frames
            if mine.samples is not None and theirs.samples is not None:
                samples.append(float(np.abs(mine.samples - theirs.samples).max(initial=0.0)))
            if mine.mel is None or theirs.mel is None:
                continue
            mels.append(np.abs(mine.mel - theirs.mel))
            if (gap := _vocoder_gap(one, other, mine.mel[:_VOCODED_FRAMES])) is not None:
                samples.append(gap)
    gaps = np.concatenate(mels) if mels else np.zeros((0, 1), np.float32)
    return Difference(
        n_utterances=len(durations),
        n_tokens=n_tokens,
        n_durations_apart=sum(durations),
        n_frames=n_frames,
        n_frames_apart=int((gaps.max(axis=1, initial=0.0) > _CLOSE).sum()),
        mel_max=float(gaps.max(initial=0.0)),
        mel_mean=float(gaps.mean()) if gaps.size else 0.0,
        samples_max=max(samples, default=None),
        makes_samples=makes_samples,
    )


def _vocoder_gap(one: Engine, other: Engine, mel: FloatArray) -> float | None:
    mine, theirs = one.vocode(mel), other.vocode(mel)
    return None if mine is None or theirs is None else float(np.abs(mine - theirs).max())


def _obeyed(delivery: Delivery, known: frozenset[str]) -> Delivery:
    return Delivery(
        delivery.speaker,
        delivery.speed if "speed" in known else 1.0,
        delivery.pitch if "pitch" in known else 0.0,
        delivery.energy if "energy" in known else 1.0,
    )
