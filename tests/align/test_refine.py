"""The search around coarse words: against brute force, against torch, and on speech with exact times."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from speechkd.align.refine import CoarseWord, refiner
from speechkd.align.refine_features import HOP_SAMPLES, N_MELS, SAMPLE_RATE, log_mel
from speechkd.align.refine_network import CARD, WEIGHTS, BoundaryNetwork, load_network
from speechkd.align.refine_path import Floats, Span, Unit, best_path
from speechkd.align.refine_posterior import end_posteriors, placed


def random_units(rng: np.random.Generator, n_frames: int) -> list[Unit]:
    """Optional silence, phone, phone, optional silence, phone, optional silence."""

    def scores(size: int) -> Floats:
        return rng.normal(0, 1, size).astype(np.float32)

    units = []
    for optional in (True, False, False, True, False, True):
        first, last = sorted((int(rng.integers(0, n_frames // 2)), int(rng.integers(n_frames // 2, n_frames + 1))))
        unit = Unit(scores(n_frames), first, last, int(rng.integers(1, 3)), scores(last - first + 1))
        if optional:
            edges = {name: scores(n_frames + 1) for name in ("entry", "leave", "skip")}
            unit = replace(unit, **edges, first=0, last=n_frames)
        else:
            lengths = scores(n_frames + 1)
            lengths[: unit.min_frames] = -np.inf
            unit = replace(unit, durations=lengths)
        units.append(unit)
    return units


def value(units: list[Unit], spans: tuple[Span, ...]) -> float:
    """The score of a path by its definition; minus infinity when it breaks a rule."""
    total, at = 0.0, 0
    for unit, span in zip(units, spans, strict=True):
        if span is None:
            if unit.skip is None:
                return -np.inf
            total += float(unit.skip[at])
            continue
        start, end = span
        if start != at or end - start < unit.min_frames or start < unit.first or end > unit.last:
            return -np.inf
        total += float(unit.scores[start:end].sum())
        total += float(unit.entry[start - unit.first] if unit.entry is not None else 0)
        total += float(unit.leave[end - unit.first] if unit.leave is not None else 0)
        total += float(unit.durations[end - start] if unit.durations is not None else 0)
        at = end
    return total if at == len(units[0].scores) else -np.inf


def every_path(units: list[Unit], n_frames: int) -> list[tuple[float, tuple[Span, ...]]]:
    """All ways to cut `n_frames` into the units, with their scores."""
    every = []
    for cuts in itertools.combinations_with_replacement(range(n_frames + 1), len(units) - 1):
        edges = (0, *cuts, n_frames)
        spans = tuple((a, b) if b > a else None for a, b in itertools.pairwise(edges))
        every.append((value(units, spans), spans))
    return every


@pytest.mark.parametrize("seed", range(25))
def test_the_best_path_is_the_best_of_all_paths(seed: int) -> None:
    n_frames = 9
    units = random_units(np.random.default_rng(seed), n_frames)
    best = max(every_path(units, n_frames), key=lambda pair: pair[0])
    found = best_path(units, n_frames)
    if not np.isfinite(best[0]):
        assert found is None
        return
    assert found is not None and value(units, tuple(found)) == pytest.approx(best[0], abs=1e-4)


@pytest.mark.parametrize("seed", range(25))
def test_the_posteriors_of_boundaries_are_sums_over_all_paths(seed: int) -> None:
    n_frames, temperature = 9, 1.7
    units = random_units(np.random.default_rng(seed), n_frames)
    path = best_path(units, n_frames)
    if path is None:
        return
    alike = [
        (np.exp(score / temperature), [span for span in spans if span is not None])
        for score, spans in every_path(units, n_frames)
        if [span is None for span in spans] == [span is None for span in path]
    ]
    summed = np.zeros((len(alike[0][1]), n_frames + 1))
    for weight, spans in alike:
        for place, (_, end) in enumerate(spans):
            summed[place, end] += weight
    summed /= summed.sum(axis=1, keepdims=True)
    posteriors = end_posteriors(units, path, n_frames, temperature)
    assert posteriors is not None
    np.testing.assert_allclose(posteriors, summed, atol=1e-6)
    found = [span for span in placed(units, path, n_frames, temperature, 0.5) if span is not None]
    medians = [int((row.cumsum() < 0.5).sum()) for row in summed]
    assert [end for _, end in found] == medians


@pytest.mark.parametrize("seed", range(25))
def test_a_later_end_before_a_silence_moves_nothing_else(seed: int) -> None:
    n_frames = 9
    units = random_units(np.random.default_rng(seed), n_frames)
    path = best_path(units, n_frames)
    if path is None:
        return
    early, late = (placed(units, path, n_frames, 1.0, share) for share in (0.5, 0.99))
    assert [span is None for span in late] == [span is None for span in path]
    kept = [(a, b, unit) for a, b, unit in zip(early, late, units, strict=True) if a is not None and b is not None]
    for (a, b, unit), (_, _, following) in itertools.pairwise(kept):
        before_silence = unit.skip is None and following.skip is not None
        assert b[1] >= a[1] if before_silence else b[1] == a[1]
    assert all(end - start >= unit.min_frames for _, (start, end), unit in kept)
    assert [b[0] for _, b, _ in kept[1:]] == [b[1] for _, b, _ in kept[:-1]]


def test_a_path_without_any_probability_stays_as_it_is() -> None:
    early, late = (np.array(scores, np.float32) for scores in ([3000, -3000, 0, 0], [0, 0, -3000, 3000]))
    units = [Unit(early, 0, 4, 1), Unit(late, 0, 4, 1)]
    path = best_path(units, 4)
    assert path is not None and end_posteriors(units, path, 4, 1.0) is None
    assert placed(units, path, 4, 1.0, 0.5) == path


def test_no_room_is_none() -> None:
    flat = np.zeros(5, np.float32)
    phones = [Unit(flat, 0, 5, 3, durations=np.array([-np.inf] * 3 + [0] * 3, np.float32)) for _ in range(2)]
    assert best_path(phones, 5) is None
    assert best_path(phones[:1], 5) == [(0, 5)]


def test_frames_are_centred_on_their_own_ten_milliseconds() -> None:
    samples = np.zeros(SAMPLE_RATE, np.float32)
    samples[30 * HOP_SAMPLES : 31 * HOP_SAMPLES] = np.random.default_rng(0).normal(0, 1, HOP_SAMPLES)
    mel = log_mel(samples)
    assert mel.shape == (100, N_MELS)
    level = mel.mean(axis=1)
    assert level.argmax() == 30 and level[29] == pytest.approx(level[31], abs=0.3)


def test_gain_and_a_colour_of_the_microphone_drop_out() -> None:
    samples = np.random.default_rng(0).normal(0, 0.1, SAMPLE_RATE).astype(np.float32)
    plain = log_mel(samples)
    np.testing.assert_allclose(log_mel(samples * np.float32(0.01)), plain, atol=1e-3)
    darker = np.convolve(samples, [0.5, 0.5], "same").astype(np.float32)
    assert np.abs(log_mel(darker) - plain)[5:-5].mean() < 0.05
    assert log_mel(np.zeros(0, np.float32)).shape == (0, N_MELS)
    assert np.isfinite(log_mel(np.zeros(SAMPLE_RATE, np.float32))).all()


def test_the_network_is_torchs() -> None:
    """The convolutions, the norm and the softmax of numpy against those of torch, with the shipped weights."""
    torch = pytest.importorskip("torch")
    network = load_network()
    mel = np.random.default_rng(0).normal(0, 1, (60, N_MELS)).astype(np.float32)
    posteriors, begins = network(mel)
    outputs, pairs = zip(*(output_of(torch, network, member, mel) for member in network.members), strict=True)
    n_labels = len(network.labels)
    mean = sum(output[:, :n_labels] for output in outputs) / len(outputs)
    np.testing.assert_allclose(posteriors, mean.log_softmax(1), atol=1e-4)
    np.testing.assert_allclose(np.exp(posteriors).sum(axis=1), 1, atol=1e-5)
    evidence = sum(output[:, n_labels:] @ pair for output, pair in zip(outputs, pairs, strict=True)) / len(outputs)
    np.testing.assert_allclose(network.transitions(begins, [(3, 0)])[0], evidence, atol=1e-3)


def output_of(torch: Any, network: BoundaryNetwork, member: Any, mel: Floats) -> tuple[Any, Any]:
    """The output layer (T, labels + K) of one member, and its embedding (K,) of label 3 before label 0."""
    w = {name: torch.from_numpy(value) for name, value in member.items()}

    def convolved(x: Any, name: str, dilation: int) -> Any:
        weight = w[f"{name}.weight"].permute(2, 1, 0)
        padding = dilation * (weight.shape[2] // 2)
        return torch.nn.functional.conv1d(x, weight, w[f"{name}.bias"], padding=padding, dilation=dilation)

    x = convolved(torch.from_numpy(mel.T)[None], "input", 1).relu()
    for number, dilation in enumerate(network.dilations):
        name = f"block{number}"
        scale = w[f"{name}.norm_weight"], w[f"{name}.norm_bias"]
        normed = torch.nn.functional.layer_norm(x.transpose(1, 2), x.shape[1:2], *scale).transpose(1, 2)
        x = x + convolved(normed, name, dilation).relu()
    return x[0].T @ w["output.weight"] + w["output.bias"], w["left"][3] + w["right"][0]


def test_what_is_shipped_is_small_and_says_where_it_comes_from() -> None:
    card = json.loads(CARD.read_text(encoding="utf-8"))
    assert WEIGHTS.stat().st_size < 2_500_000
    assert {"command", "data", "durations", "licence", "log_prior", "network", "search"} <= card.keys()
    assert "--seed" in card["command"]
    assert np.exp(card["log_prior"]).sum() == pytest.approx(1, abs=0.01)
    assert set(card["network"]["labels"]) - {""} <= set(card["durations"])


def test_a_network_elsewhere(tmp_path: Path) -> None:
    for path in (WEIGHTS, CARD):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    other = load_network(tmp_path / WEIGHTS.name, tmp_path / CARD.name)
    assert isinstance(other, BoundaryNetwork) and other.labels == load_network().labels


def test_a_word_out_of_reach_is_not_found_by_force() -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, SAMPLE_RATE).astype(np.float32)
    crowded = [CoarseWord(0.4, 0.45, tuple("AA1 B CH D EH1 F G HH IY1 JH K L M N OW1 P R S T UW1 V".split()))]
    assert refiner().refine(noise, crowded) is None
    assert refiner().refine(np.zeros(10, np.float32), crowded) is None


def test_boundaries_come_nearer_to_espeaks_own(fox: Any) -> None:
    from speechkd.align.pocketsphinx import _at_16k

    (samples, rate, starts), tokens = fox
    ends = [*starts[1:], len(samples) / rate - 0.05]
    # Coarse words that are 40 ms late, as a bad first pass might say.
    late = [
        CoarseWord(start + 0.04, end + 0.04, word.phones)
        for word, start, end in zip(tokens.words, starts, ends, strict=True)
    ]
    found = refiner().refine(_at_16k(samples, rate, None), late)
    assert found is not None and [phone.label for phone in found.phones] == [p for w in tokens.words for p in w.phones]
    firsts = np.cumsum([0, *(len(word.phones) for word in tokens.words)])[:-1]
    errors = [abs(found.phones[first].start_s - start) for first, start in zip(firsts, starts, strict=True)]
    assert np.mean(errors) < 0.025 and -3 < found.fit < 0
