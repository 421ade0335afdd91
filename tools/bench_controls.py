"""What a voice is asked for and what it does: see `tools/bench.py controls`."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Say = Callable[[str], None]
TOLERANCE = 0.05
SETTINGS: dict[str, tuple[float, ...]] = {
    "speed": (0.25, 0.5, 0.75, 1.25, 2.0, 4.0),
    "pitch": (-12.0, -6.0, -3.0, 3.0, 6.0, 12.0),
    "energy": (0.25, 0.5, 0.75, 1.25, 1.5, 2.0, 4.0),
    "volume": (0.25, 0.5, 0.75, 1.25, 1.5, 2.0, 4.0),
}


@dataclass(frozen=True)
class Row:
    """A control at one setting: the factor that was asked for, and those that were measured, sentence by sentence."""

    control: str
    value: float
    asked: float
    measured: tuple[float, ...]

    @property
    def off(self) -> list[float]:
        """How far each is from what was asked, as a share of it."""
        return [each / self.asked - 1.0 for each in self.measured]

    @property
    def within(self) -> bool:
        """Whether the median is within the tolerance."""
        return abs(statistics.median(self.off)) <= TOLERANCE


def median_f0_hz(samples: np.ndarray, sample_rate: int) -> float:
    """Median pitch of the voiced frames: DIO and StoneMask."""
    import pyworld

    wave = samples.astype(np.float64)
    f0, times = pyworld.dio(wave, sample_rate, f0_floor=50.0, f0_ceil=1000.0)
    f0 = pyworld.stonemask(wave, f0, times, sample_rate)
    return float(np.median(f0[f0 > 0]))


def measured(control: str, speech: Any) -> float:
    """The figure that a control multiplies: of speed, seconds to the power of -1."""
    if control == "speed":
        return 1.0 / float(speech.duration_s)
    if control == "pitch":
        return median_f0_hz(speech.samples, speech.sample_rate)
    return float(np.sqrt(np.mean(speech.samples.astype(np.float64) ** 2)))


def rows(voice: Any, texts: Sequence[str], controls: Iterable[str]) -> list[Row]:
    """Each control at each of its `SETTINGS`, over the texts, against the voice with nothing asked."""
    plain = [voice.synthesize(text) for text in texts]
    made = []
    for control in controls:
        before = [measured(control, speech) for speech in plain]
        for value in SETTINGS[control]:
            after = [measured(control, voice.synthesize(text, **{control: value})) for text in texts]
            asked = 2.0 ** (value / 12.0) if control == "pitch" else value
            made.append(Row(control, value, asked, tuple(a / b for a, b in zip(after, before, strict=True))))
    return made


def table(made: Sequence[Row]) -> list[str]:
    """A line per setting."""
    lines = [f"{'control':<8}{'value':>7}{'asked':>9}{'measured':>10}{'off':>8}{'worst':>8}"]
    for row in made:
        worst = max(row.off, key=abs)
        lines.append(
            f"{row.control:<8}{row.value:>+7g}{row.asked:>9.3f}{statistics.median(row.measured):>10.3f}"
            f"{statistics.median(row.off):>+8.1%}{worst:>+8.1%}"
        )
    return lines


def report(voice: str, engine: str, sentences: int, say: Say) -> int:
    """Measure and print; 1 if a median is not within the tolerance."""
    from recipes.tts.common.corpora.mini import mini_sentences
    from speechkd.synthesis.load import load_voice

    loaded = load_voice(voice, engine=engine)  # type: ignore[arg-type]
    texts = mini_sentences()[:sentences]
    made = rows(loaded, texts, [name for name in loaded.controls if name in SETTINGS])
    say(
        f"voice {loaded.name}, engine {loaded.engine.name}, {len(texts)} sentences, medians; factors of the plain voice"
    )
    say("\n".join(table(made)))
    missed = [f"{row.control} {row.value:+g}" for row in made if not row.within]
    say(f"target     within {TOLERANCE:.0%}: {'MISSED by ' + ', '.join(missed) if missed else 'reached by all'}")
    return int(bool(missed))
