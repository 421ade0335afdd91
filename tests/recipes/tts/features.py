"""Made-up `features` and `tokens` artifacts: what the training sees, without a corpus."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from speechkd.features.statistics import corpus_statistics
from speechkd.runner import ItemWriter
from speechkd.text import ENGLISH_SYMBOLS

N_MELS = 12
SYMBOLS = ("^", "HH", "AH0", "L", "OW1", "|", "W", "ER1", "L", "D", ".")
TINY_FFT = {"layers": 1, "heads": 2, "conv_channels": 48, "conv_kernel": 3, "dropout": 0.0}
TINY_NETWORKS: dict[str, dict[str, Any]] = {
    name: {
        "hidden": 32,
        "encoder": TINY_FFT,
        "decoder": TINY_FFT,
        "predictor": {"layers": 2, "channels": 16, "kernel": 3, "dropout": 0.0},
        "pitch": {"target": target, "level": level, "bins": 16},
        "energy": {"level": level, "bins": 16},
    }
    for name, target, level in (("paper", "cwt", "frame"), ("frames", "f0", "frame"), ("small", "f0", "phoneme"))
}


def write_features(folder: Path, n_utterances: int = 4) -> tuple[Path, Path]:
    """The two artifacts, of utterances `u0`, `u1`, … of different length; returns (features, tokens)."""
    rng = np.random.default_rng(0)
    features, tokens = folder / "features", folder / "tokens"
    triples = []
    with ItemWriter(features) as feature_writer, ItemWriter(tokens) as token_writer:
        for number in range(n_utterances):
            symbols = [*SYMBOLS[: 7 + number], "."]
            durations = rng.integers(1, 5, len(symbols))
            durations[5] = 0  # the pause between the words
            durations[0] = number % 2  # some begin at once
            arrays = _arrays(rng, durations)
            feature_writer.add(f"u{number}", arrays, {"n_frames": int(durations.sum())})
            token_writer.add(f"u{number}", None, {"symbols": symbols})
            triples.append((arrays["mel"], arrays["f0_hz"], arrays["energy"]))
    corpus_statistics(triples).write(features / "stats.json")
    (tokens / "symbols.json").write_text(json.dumps(ENGLISH_SYMBOLS.to_json()), encoding="utf-8")
    return features, tokens


def _arrays(rng: np.random.Generator, durations: np.ndarray) -> dict[str, np.ndarray]:
    n_frames = int(durations.sum())
    token = np.repeat(np.arange(len(durations)), durations)
    f0 = 150 + 50 * np.sin(np.arange(n_frames) / 3)
    f0[token % 3 == 1] = 0
    return {
        "mel": (np.sin(token[:, None] + np.arange(N_MELS)) * 2 - 5 + rng.normal(0, 0.05, (n_frames, N_MELS))).astype(
            "f4"
        ),
        "f0_hz": f0.astype("f4"),
        "energy": (20 + 10 * np.cos(token) + rng.normal(0, 1, n_frames)).astype("f4"),
        "durations": durations.astype(np.int32),
    }
