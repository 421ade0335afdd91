"""Greedy, sampled and beam-searched texts against all texts, written out and scored one by one."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from torch import Tensor

from speechkd.models.lipreading.characters import EOS, PAD
from speechkd.models.lipreading.decoder import Memory
from speechkd.models.lipreading.reader import LipReader
from tests.models.lipreading.tiny import clips, tiny

LONGEST = 3
LENGTHS = [7, 4, 5]


@pytest.fixture
def model() -> LipReader:
    return tiny("ab", longest=LONGEST)


@pytest.fixture
def memory(model: LipReader) -> Memory:
    return model.encode(*clips(LENGTHS))


def all_texts() -> list[tuple[int, ...]]:
    """Every text of two characters that ends within the limit or is cut by it."""
    ended = [(*body, EOS) for n in range(LONGEST) for body in itertools.product((3, 4), repeat=n)]
    return ended + list(itertools.product((3, 4), repeat=LONGEST))


def probabilities(model: LipReader, clip: int) -> dict[tuple[int, ...], float]:
    """The probability of every text of one clip, by the full forward pass of each prefix alone."""
    frames, lengths = clips(LENGTHS)
    frames, lengths = frames[clip : clip + 1, : LENGTHS[clip]], lengths[clip : clip + 1]
    found = {}
    for text in all_texts():
        total = 0.0
        for n, character in enumerate(text, start=1):
            total += float(model(frames, lengths, torch.tensor([text[:n]])).log_probs[0, -1, character])
        found[text] = math.exp(total)
    return found


def text_of(tokens: Tensor) -> tuple[int, ...]:
    return tuple(number for number in tokens.tolist() if number != PAD)


def test_the_probabilities_of_all_texts_sum_to_one(model: LipReader) -> None:
    assert sum(probabilities(model, 0).values()) == pytest.approx(1.0, abs=1e-5)


def test_greedy_is_the_best_character_of_repeated_full_passes() -> None:
    model = tiny("abcdefgh ", longest=12)
    frames, lengths = clips(LENGTHS)
    written = model.greedy(model.encode(frames, lengths))
    texts = []
    for clip in range(3):
        text: list[int] = []
        while len(text) < 12 and EOS not in text:
            made = model(frames[clip : clip + 1], lengths[clip : clip + 1], torch.tensor([[*text, PAD]]))
            text.append(int(made.log_probs[0, -1].argmax()))
        texts.append(tuple(text))
    assert [text_of(tokens) for tokens in written.tokens] == texts
    assert written.lengths.tolist() == list(map(len, texts))
    assert len(set(texts)) > 1


@pytest.mark.parametrize("length_penalty", [0.0, 0.7, 1.5])
def test_a_wide_beam_finds_the_best_of_all_texts(model: LipReader, memory: Memory, length_penalty: float) -> None:
    written = model.beam(memory, width=len(all_texts()), length_penalty=length_penalty)
    for clip in range(3):
        ranks = {text: math.log(p) / len(text) ** length_penalty for text, p in probabilities(model, clip).items()}
        best = max(ranks, key=ranks.__getitem__)
        assert text_of(written.tokens[clip]) == best
        assert int(written.lengths[clip]) == len(best)
        assert float(written.log_probs[clip].sum()) == pytest.approx(
            math.log(probabilities(model, clip)[best]), abs=1e-4
        )


def slow_beam(model: LipReader, clip: int, width: int, longest: int) -> tuple[int, ...]:
    """Beam search over lists of numbers, one clip, one text and one full pass at a time."""
    frames, lengths = clips(LENGTHS)
    memory = model.encode(frames[clip : clip + 1], lengths[clip : clip + 1])
    beams: list[tuple[float, tuple[int, ...]]] = [(0.0, ())]
    for _ in range(longest):
        longer = []
        for total, text in beams:
            if text and text[-1] == EOS:
                longer.append((total, text))
                continue
            log_probs = model.predict(memory, torch.tensor([[*text, PAD]])).log_probs[0, -1]
            longer += [(total + float(log_probs[c]), (*text, c)) for c in range(EOS, len(log_probs))]
        beams = sorted(longer, reverse=True)[:width]
    return beams[0][1]


@pytest.mark.parametrize("width", [1, 2, 4])
def test_a_narrow_beam_is_the_slow_one(width: int) -> None:
    model = tiny("abcdef ", longest=9)
    written = model.beam(model.encode(*clips(LENGTHS)), width=width)
    found = [text_of(tokens) for tokens in written.tokens]
    assert found == [slow_beam(model, clip, width, 9) for clip in range(3)]
    if width == 1:
        assert found == [text_of(tokens) for tokens in model.greedy(model.encode(*clips(LENGTHS))).tokens]


def test_the_length_penalty_makes_texts_longer() -> None:
    model = tiny("abcdef ", longest=9, spread=0.3)
    memory = model.encode(*clips(LENGTHS))
    short, long = (model.beam(memory, width=8, length_penalty=penalty).lengths.sum() for penalty in (0.0, 2.0))
    assert short < long


def test_samples_come_as_often_as_they_are_probable(model: LipReader, memory: Memory) -> None:
    """Pearson's statistic over all texts of each clip, under its 99.9 % point by Wilson and Hilferty."""
    n = 4000
    written = model.sample(memory, n, torch.Generator().manual_seed(1))
    assert written.tokens.shape[0] == 3 * n
    for clip, tokens in enumerate(written.tokens.unflatten(0, (3, n))):
        counts: dict[tuple[int, ...], int] = dict.fromkeys(all_texts(), 0)
        for row in tokens:
            counts[text_of(row)] += 1
        expected = {text: n * p for text, p in probabilities(model, clip).items()}
        common = [text for text in expected if expected[text] >= 5]
        statistic = sum((counts[text] - expected[text]) ** 2 / expected[text] for text in common)
        degrees = len(common) - 1
        assert degrees >= 3
        assert statistic < degrees * (1 - 2 / (9 * degrees) + 3.09 * math.sqrt(2 / (9 * degrees))) ** 3


def test_seeds_reproduce_samples(model: LipReader, memory: Memory) -> None:
    one, same, other = (model.sample(memory, 50, torch.Generator().manual_seed(seed)).tokens for seed in (1, 1, 2))
    assert torch.equal(one, same) and not torch.equal(one, other)


def test_samples_are_padded_behind_their_end(model: LipReader, memory: Memory) -> None:
    written = model.sample(memory, 200, torch.Generator().manual_seed(1))
    assert not written.tokens.requires_grad and not written.log_probs.requires_grad
    cut = 0
    for tokens, length, log_probs in zip(written.tokens.tolist(), written.lengths, written.log_probs, strict=True):
        assert EOS not in tokens[: length - 1] and set(tokens[length:]) <= {PAD}
        assert min(tokens[:length]) >= EOS
        assert (log_probs[:length] < 0).all() and not log_probs[length:].any()
        cut += tokens[length - 1] != EOS
        assert tokens[length - 1] == EOS or length == LONGEST
    assert 0 < cut < 600


@pytest.mark.parametrize("training", [False, True])
def test_a_sample_scores_what_it_was_sampled_with(training: bool) -> None:
    """Without dropout, in either mode; the score has the gradient that a sample has not."""
    model = tiny("abcdef ", longest=9).train(training)
    model.freeze_batch_norm()
    memory = model.encode(*clips(LENGTHS), dropout=False)
    written = model.sample(memory, 4, torch.Generator().manual_seed(0), dropout=False)
    scored = model.score(memory, written.tokens, written.lengths, dropout=False)
    torch.testing.assert_close(scored, written.log_probs, atol=1e-5, rtol=1e-4)
    scored.sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_dropout_makes_another_policy(model: LipReader, memory: Memory) -> None:
    model = tiny("ab", longest=LONGEST, dropout=0.5).train()
    written = model.sample(memory, 4, torch.Generator().manual_seed(0), dropout=False)
    plain, dropped = (model.score(memory, written.tokens, written.lengths, dropout=d) for d in (False, None))
    torch.testing.assert_close(plain, written.log_probs, atol=1e-5, rtol=1e-4)
    assert (dropped - plain).abs().max() > 1e-2
