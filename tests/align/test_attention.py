"""Durations from attention: against hand counts and against brute force; heads; files and what can be wrong in them."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from safetensors.numpy import save_file

from speechkd.align import make_aligner, token_durations
from speechkd.align.attention import choose_head, chosen_head, durations_from_attention, focus_rate
from speechkd.align.options import AttentionOptions
from speechkd.errors import DataError
from speechkd.text.tokens import Word, lay_out

TWO = lay_out([Word("a", ("AH0",), "lexicon"), Word("bee", ("B", "IY1"), "lexicon")], ["|", "."])
HOP_S, RATE = 256 / 22050, 22050
FRAMES = [4, 3, 0, 2, 5, 6]


def focused(frames: list[int], peak: float = 0.9) -> NDArray[np.float32]:
    """One head (F, T) that looks at each token for its number of frames."""
    rows = np.full((sum(frames), len(frames)), (1 - peak) / (len(frames) - 1), np.float32)
    rows[np.arange(sum(frames)), np.repeat(np.arange(len(frames)), frames)] = peak
    return rows


def test_focus_rate_of_known_attention() -> None:
    assert focus_rate(np.eye(5)[None, None]) == pytest.approx(1)
    assert focus_rate(np.full((2, 3, 7, 4), 0.25)) == pytest.approx(np.full((2, 3), 0.25))
    assert focus_rate(focused(FRAMES, 0.7)) == pytest.approx(0.7)
    rows = np.asarray([[0.5, 0.5, 0], [0.1, 0.8, 0.1]])
    assert focus_rate(rows) == pytest.approx((0.5 + 0.8) / 2)


def test_padding_does_not_count() -> None:
    padded = np.full((1, 1, 30, 9), 0.99)
    padded[0, 0, :20, :6] = focused(FRAMES, 0.6)
    assert focus_rate(padded, (20, 6)) == pytest.approx(0.6)
    with pytest.raises(DataError, match="no 31 frames by 6 tokens"):
        focus_rate(padded, (31, 6))


def test_one_head_for_the_corpus_by_the_mean() -> None:
    first = np.asarray([[0.2, 0.9], [0.5, 0.3]])
    second = np.asarray([[0.2, 0.2], [0.8, 0.3]])
    head = choose_head([first, second])
    assert (head.layer, head.head) == (1, 0)  # (0, 1) leads in the first utterance alone: 0.55 against 0.65
    assert head.focus_rate == pytest.approx(0.65)
    tied = choose_head([np.full((2, 2), 0.4)])
    assert (tied.layer, tied.head) == (0, 0)
    with pytest.raises(DataError, match="No attention"):
        choose_head([])
    with pytest.raises(DataError, match=r"\(2, 2\) and \(2, 3\)"):
        choose_head([first, np.zeros((2, 3))])


def test_argmax_counts_frames_whatever_their_order() -> None:
    rows = focused(FRAMES)
    assert durations_from_attention(rows).tolist() == FRAMES
    assert durations_from_attention(rows[::-1]).tolist() == FRAMES


heads = st.integers(1, 7).flatmap(
    lambda frames: st.integers(1, 5).flatmap(
        lambda tokens: st.lists(
            st.lists(st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.7, 1.0]), min_size=tokens, max_size=tokens),
            min_size=frames,
            max_size=frames,
        )
    )
)


@settings(max_examples=300, deadline=None)
@given(rows=heads, least=st.sampled_from([0, 1]))
def test_monotone_path_against_brute_force(rows: list[list[float]], least: int) -> None:
    head = np.asarray(rows)
    frames, tokens = head.shape
    gains = np.log(np.maximum(head, 1e-8))
    scores = {
        counts: sum(gains[f, t] for f, t in enumerate(np.repeat(np.arange(tokens), counts)))
        for counts in itertools.product(range(least, frames + 1), repeat=tokens)
        if sum(counts) == frames
    }
    if not scores:
        with pytest.raises(DataError, match="too few"):
            durations_from_attention(head, "monotone", least)
        return
    found = tuple(durations_from_attention(head, "monotone", least).tolist())
    assert found in scores
    assert scores[found] == pytest.approx(max(scores.values()))


@settings(max_examples=50, deadline=None)
@given(rows=heads)
def test_frames_always_add_up(rows: list[list[float]]) -> None:
    assert durations_from_attention(np.asarray(rows)).sum() == len(rows)


def test_monotone_path_mends_a_glance_back() -> None:
    rows = focused([3, 3, 3])
    rows[7] = rows[0]  # while saying the third token, the teacher looks at the first
    assert durations_from_attention(rows).tolist() == [4, 3, 2]
    assert durations_from_attention(rows, "monotone").tolist() == [3, 3, 3]


def test_a_long_utterance_takes_no_time() -> None:
    rows = np.random.default_rng(0).random((2000, 300))
    assert durations_from_attention(rows, "monotone", 1).sum() == 2000


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (3,)])
def test_empty_attention(shape: tuple[int, ...]) -> None:
    with pytest.raises(DataError):
        durations_from_attention(np.zeros(shape))


def write(folder: Path, name: str, attention: NDArray[Any], hop_s: str | None = str(HOP_S)) -> None:
    save_file({"attention": attention}, folder / f"{name}.safetensors", {"hop_s": hop_s} if hop_s else None)


def layers(good: int, peak: float = 0.9) -> NDArray[np.float32]:
    """Two layers of two heads, of which the one with number `good` follows the text."""
    heads = np.full((4, sum(FRAMES), len(FRAMES)), 1 / len(FRAMES), np.float32)
    heads[good] = focused(FRAMES, peak)
    return heads.reshape(2, 2, *heads.shape[1:])


def aligned_frames(folder: Path, **options: Any) -> list[int]:
    samples = np.zeros(round(sum(FRAMES) * HOP_S * RATE), np.float32)
    aligner = make_aligner(AttentionOptions(folder=folder, **options))
    alignment = aligner.align(samples, RATE, TWO, utterance_id="u1")
    frames: list[int] = token_durations(alignment, TWO, sum(FRAMES), HOP_S).tolist()
    return frames


@pytest.mark.parametrize("method", ["argmax", "monotone"])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_stored_attention(tmp_path: Path, method: str, dtype: str) -> None:
    write(tmp_path, "u1", layers(2).astype(dtype))
    assert aligned_frames(tmp_path, method=method) == FRAMES


def test_head_is_chosen_over_the_first_files_or_read(tmp_path: Path) -> None:
    for name, good in (("a", 1), ("b", 1), ("u1", 2), ("z", 2)):
        write(tmp_path, name, layers(good))
    assert chosen_head(AttentionOptions(folder=tmp_path, head_utterances=2)).head == 1
    first = chosen_head(AttentionOptions(folder=tmp_path, head_utterances=4))
    assert (first.layer, first.head) == (0, 1)  # two against two: the first
    with pytest.raises(DataError, match=r"does not follow the text: focus rate 0\.167, at least 0\.5"):
        aligned_frames(tmp_path, head_utterances=2)
    (tmp_path / "head.json").write_text('{"layer": 1, "head": 0}', encoding="utf-8")
    assert aligned_frames(tmp_path, head_utterances=3) == FRAMES


def test_one_head_alone_and_least_frames(tmp_path: Path) -> None:
    write(tmp_path, "u1", focused(FRAMES))
    assert aligned_frames(tmp_path) == FRAMES
    mended = aligned_frames(tmp_path, method="monotone", min_frames=1)
    assert min(mended) == 1 and sum(mended) == sum(FRAMES)


@pytest.mark.parametrize(
    ("attention", "hop_s", "message"),
    [
        (focused(FRAMES)[:, :5], str(HOP_S), "another text: it has 5 columns, the text 6 tokens"),
        (focused(FRAMES)[:16], str(HOP_S), "another recording: its 16 frames"),
        (focused(FRAMES), None, r"needs a hop.*align\.hop_s"),
        (focused(FRAMES), "fast", "hop_s is 'fast', not seconds"),
        (focused(FRAMES) * np.float32("nan"), str(HOP_S), "not finite"),
        (focused(FRAMES)[None], str(HOP_S), r"\(1, 20, 6\)"),
        (np.zeros((20, 6), np.int64), str(HOP_S), "Not an attention"),
        (focused(FRAMES, 0.3), str(HOP_S), r"focus rate 0\.300"),
    ],
)
def test_faults_are_named(tmp_path: Path, attention: NDArray[Any], hop_s: str | None, message: str) -> None:
    write(tmp_path, "u1", np.ascontiguousarray(attention), hop_s)
    with pytest.raises(DataError, match=message):
        aligned_frames(tmp_path)


def test_files_that_are_missing_or_no_attention(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"u1\.safetensors: No attention was stored"):
        aligned_frames(tmp_path)
    (tmp_path / "u1.safetensors").write_bytes(b"junk")
    with pytest.raises(DataError, match="Cannot read the attention"):
        aligned_frames(tmp_path)
    save_file({"other": np.zeros(3)}, tmp_path / "u1.safetensors")
    with pytest.raises(DataError, match="Cannot read the attention"):
        aligned_frames(tmp_path)


@pytest.mark.parametrize("text", ["{", "[]", '{"layer": 0}', '{"layer": -1, "head": 0}', '{"layer": 9, "head": 0}'])
def test_wrong_head_files(tmp_path: Path, text: str) -> None:
    write(tmp_path, "u1", layers(0))
    (tmp_path / "head.json").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=r"Not a head|no head 0 in layer 9"):
        aligned_frames(tmp_path)


def test_head_file_as_the_recipe_writes_it(tmp_path: Path) -> None:
    head = choose_head([np.asarray([[0.2, 0.9]])])
    (tmp_path / "head.json").write_text(json.dumps(vars(head)), encoding="utf-8")
    assert chosen_head(AttentionOptions(folder=tmp_path)) == head
