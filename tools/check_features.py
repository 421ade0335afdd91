#!/usr/bin/env python3
"""Are pitch and energy of a corpus fit to train on? Prints figures to judge them by.

    tools/check_features.py CORPUS [--limit N] [--harvest N] [--smallest-scale FRAMES]

CORPUS is a folder with recordings; --limit uses that many, spread over all, --harvest compares DIO with Harvest on that
many of them (Harvest is slow). Features are extracted as the stage `extract` does. Exits with 1 if a contour does not
come back from its wavelet transform.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

if TYPE_CHECKING:
    import numpy as np

    from recipes.tts.common.extract import Extraction
    from speechkd.features.statistics import Statistics, StatisticsCollector

AUDIO_SUFFIXES = (".wav", ".flac", ".ogg", ".mp3")
LEAST_CORRELATION = 0.98
BINS = 256
JUMP_OCTAVES, JUMP_FRAMES = 0.7, 5
GROSS_RATIO = 1.2


@dataclass
class Features:
    """What was found in the recordings, in their order."""

    names: list[str] = field(default_factory=list)
    f0_hz: list[np.ndarray] = field(default_factory=list)
    harvest_hz: list[np.ndarray | None] = field(default_factory=list)
    energy: list[np.ndarray] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)


def recordings(folder: Path, limit: int) -> list[Path]:
    """At most `limit` recordings under a folder (0: all), spread evenly over them by name."""
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in AUDIO_SUFFIXES)
    return _spread(found, limit)


def _spread(paths: Sequence[Path], limit: int) -> list[Path]:
    n = min(limit or len(paths), len(paths))
    return [paths[i * len(paths) // n] for i in range(n)]


def extract(paths: Sequence[Path], n_harvest: int, how: Extraction) -> tuple[Features, StatisticsCollector]:
    """The features of all recordings, and the sums for their statistics."""
    from recipes.tts.common.extract import acoustic_features, load_speech
    from speechkd.errors import DataError
    from speechkd.features.pitch import extract_f0
    from speechkd.features.statistics import StatisticsCollector

    found, collector = Features(), StatisticsCollector()
    compared = set(_spread(paths, n_harvest)) if n_harvest else set()
    for path in paths:
        try:
            samples = load_speech(path, how.preset, how.loudness_dbfs)
            arrays = acoustic_features(samples, how)
        except DataError as error:
            found.refused.append(f"{path.name}: {str(error).splitlines()[0]}")
            continue
        n_frames = len(arrays["mel"])
        rates = (how.preset.sample_rate, how.preset.hop_samples, n_frames)
        found.names.append(path.name)
        found.f0_hz.append(arrays["f0_hz"])
        found.energy.append(arrays["energy"])
        found.harvest_hz.append(extract_f0(samples, *rates, "harvest") if path in compared else None)
        collector.add(arrays["mel"], arrays["f0_hz"], arrays["energy"])
    return found, collector


def round_trips(found: Features, inverse: str, smallest: float) -> np.ndarray:
    """Correlation of each contour with what comes back from its wavelet transform."""
    import numpy as np

    from speechkd.features.pitch import continuous_contour
    from speechkd.features.wavelet import cwt, inverse_cwt, scale_weights

    weights = scale_weights(inverse, smallest)  # type: ignore[arg-type]
    contours = (continuous_contour(f0_hz).normalised for f0_hz in found.f0_hz)
    return np.array([np.corrcoef(each, inverse_cwt(cwt(each, smallest), weights))[0, 1] for each in contours])


def octave_jumps(f0_hz: np.ndarray) -> int:
    """How often neighbouring voiced frames, at most five apart, differ by more than 0.7 octaves."""
    import numpy as np

    voiced = np.flatnonzero(f0_hz > 0)
    step = np.abs(np.diff(np.log2(f0_hz[voiced].astype(np.float64))))
    return int(((step > JUMP_OCTAVES) & (np.diff(voiced) <= JUMP_FRAMES)).sum())


def quantisation_lines(found: Features, scales: Statistics) -> list[str]:
    """Largest distance of values from the middle of their bins, of those within the bounds."""
    import numpy as np
    import torch

    from speechkd.features.bins import PitchBins, UniformBins

    pitch = PitchBins(scales.f0_min_hz, scales.f0_max_hz, BINS)
    energy = UniformBins(scales.energy_min, scales.energy_max, BINS)
    f0_hz, power = (torch.from_numpy(np.concatenate(each)).double() for each in (found.f0_hz, found.energy))
    f0_hz = f0_hz[f0_hz > 0]
    inside = f0_hz[(f0_hz >= pitch.low_hz) & (f0_hz <= pitch.high_hz)]
    pitch_off = float((pitch.centre(pitch.index(inside)).log() - inside.log()).abs().max()) / pitch.log.width
    energy_off = float((energy.centre(energy.index(power)) - power).abs().max()) / energy.width
    beyond = 1 - len(inside) / len(f0_hz)
    return [
        f"F0 bins            {BINS} of {1200 * pitch.log.width / np.log(2):.1f} cents, {pitch.low_hz:.1f} to"
        f" {pitch.high_hz:.1f} Hz; largest error {pitch_off:.3f} bins",
        f"F0 beyond the bins {beyond:.2%} of voiced frames, from {f0_hz.min():.1f} to {f0_hz.max():.1f} Hz",
        f"energy bins        {BINS} of {energy.width:.3f}, {energy.low:.3f} to {energy.high:.1f};"
        f" largest error {energy_off:.3f} bins",
        f"energy             mean {scales.energy_mean:.1f}, deviation {scales.energy_deviation:.1f},"
        f" 99.9 % below {np.percentile(power, 99.9):.1f}",
    ]


def voicing_lines(found: Features) -> list[str]:
    """Voiced shares, and how DIO and Harvest differ where both were run."""
    import numpy as np

    voiced = sum(int((f0_hz > 0).sum()) for f0_hz in found.f0_hz)
    frames = sum(map(len, found.f0_hz))
    jumps = sum(map(octave_jumps, found.f0_hz))
    lines = [f"voiced             {voiced / frames:.1%} of frames; {1000 * jumps / voiced:.2f} octave jumps per 1,000"]
    pairs = [(dio, other) for dio, other in zip(found.f0_hz, found.harvest_hz, strict=True) if other is not None]
    if not pairs:
        return lines
    dio, other = (np.concatenate(each).astype(np.float64) for each in zip(*pairs, strict=True))
    both = (dio > 0) & (other > 0)
    apart = np.abs(np.log2(dio[both] / other[both]))
    other_jumps = sum(octave_jumps(each) for _, each in pairs)
    other_rate = 1000 * other_jumps / max(1, (other > 0).sum())
    return [
        *lines,
        f"Harvest, {len(pairs)} clips  {(other > 0).mean():.1%} voiced, DIO {(dio > 0).mean():.1%} of the same; they"
        f" differ in {((dio > 0) != (other > 0)).mean():.1%}; {other_rate:.2f} octave jumps per 1,000",
        f"where both voice   {(apart > np.log2(GROSS_RATIO)).mean():.1%} more than 20 % apart,"
        f" {(apart > JUMP_OCTAVES).mean():.1%} an octave; median {1200 * np.median(apart):.1f} cents",
    ]


def check(folder: Path, limit: int, n_harvest: int, smallest: float) -> int:
    """Print the figures; 0 if all contours come back, 1 if one does not, 3 without a usable recording."""
    import torch

    from recipes.tts.common.extract import Extraction
    from speechkd.audio.mel import mel_preset

    torch.set_num_threads(1)
    paths = recordings(folder, limit)
    if not paths:
        print(f"no recordings under {folder}")
        return 3
    preset = mel_preset("hifigan_22k")
    found, collector = extract(paths, n_harvest, Extraction(preset, -20.0, "dio"))
    refused = [f"refused            {len(found.refused)}", *(f"    {each}" for each in found.refused)]
    if not found.names:
        print("\n".join(refused))
        return 3
    lengths = [len(f0_hz) for f0_hz in found.f0_hz]
    minutes = sum(lengths) * preset.hop_s / 60
    print(f"{folder.name}: {len(paths)} recordings, {minutes:.1f} min, of {min(lengths)} to {max(lengths)} frames")
    worst = 1.0
    for inverse in ("paper", "matched"):
        back = round_trips(found, inverse, smallest)
        name = found.names[int(back.argmin())]
        print(
            f"wavelet, {inverse:<9} correlation there and back: min {back.min():.4f} ({name}), median"
            f" {sorted(back)[len(back) // 2]:.4f}; {int((back < LEAST_CORRELATION).sum())} below {LEAST_CORRELATION}"
        )
        worst = min(worst, back.min())
    print("\n".join([*voicing_lines(found), *quantisation_lines(found, collector.statistics()), *refused]))
    return int(worst < LEAST_CORRELATION)


def main(arguments: Sequence[str] | None = None) -> int:
    """The program."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--limit", type=int, default=0, help="recordings to use; 0 (default) is all")
    parser.add_argument("--harvest", type=int, default=40, help="of these, recordings to run Harvest on; 0 is none")
    parser.add_argument("--smallest-scale", type=float, default=1.0, help="of the wavelet transform, in frames")
    options = parser.parse_args(arguments)
    os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    return check(options.corpus, options.limit, options.harvest, options.smallest_scale)


if __name__ == "__main__":
    sys.exit(main())
