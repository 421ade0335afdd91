"""Batched edit distances against the textbook's recursion, string by string."""

from __future__ import annotations

import random

import torch

from speechkd.metrics.edits import PrefixDistances, edit_distances


def textbook(first: list[int], second: list[int]) -> int:
    if not first or not second:
        return len(first) + len(second)
    previous = list(range(len(second) + 1))
    for i, a in enumerate(first, 1):
        row = [i]
        for j, b in enumerate(second, 1):
            row.append(min(previous[j] + 1, row[-1] + 1, previous[j - 1] + (a != b)))
        previous = row
    return previous[-1]


def padded(texts: list[list[int]], filler: int, extra: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    width = max(map(len, texts)) + extra
    rows = [text + [filler] * (width - len(text)) for text in texts]
    return torch.tensor(rows).view(len(texts), width), torch.tensor([len(text) for text in texts])


def random_texts(seed: int, n: int) -> list[list[int]]:
    chance = random.Random(seed)
    return [[chance.randrange(3) for _ in range(chance.randrange(9))] for _ in range(n)] + [[], [], [1, 2]]


def pairs() -> tuple[list[list[int]], list[list[int]]]:
    return random_texts(0, 40), [*random_texts(1, 40)[:-3], [], [0, 1], []]


def measured(extra: int = 0, filler: int = 1) -> PrefixDistances:
    hypotheses, references = pairs()
    return edit_distances(*padded(hypotheses, filler, extra), *padded(references, filler, extra))


def test_every_prefix_to_the_whole_reference() -> None:
    found = measured().whole
    for row, (text, reference) in enumerate(zip(*pairs(), strict=True)):
        expected = [textbook(text[:t], reference) for t in range(len(text) + 1)]
        assert found[row, : len(text) + 1].tolist() == expected
        assert set(found[row, len(text) :].tolist()) == {expected[-1]}


def test_every_prefix_to_its_nearest_prefix() -> None:
    found = measured().nearest
    for row, (text, reference) in enumerate(zip(*pairs(), strict=True)):
        for t in range(len(text) + 1):
            best = min(textbook(text[:t], reference[:u]) for u in range(len(reference) + 1))
            assert int(found[row, t]) == best


def test_padding_changes_nothing() -> None:
    before, after = measured(), measured(extra=3, filler=0)
    for one, other in zip(before, after, strict=True):
        assert torch.equal(one, other[:, : one.shape[1]])


def test_batches_of_empty_texts() -> None:
    nothing, some = torch.zeros(2, 0, dtype=torch.long), torch.tensor([[3, 4], [5, 0]])
    zero, lengths = torch.tensor([0, 0]), torch.tensor([2, 1])
    assert edit_distances(nothing, zero, some, lengths).whole.tolist() == [[2], [1]]
    assert edit_distances(some, lengths, nothing, zero).whole.tolist() == [[0, 1, 2], [0, 1, 1]]
    assert edit_distances(nothing, zero, nothing, zero).nearest.tolist() == [[0], [0]]
