"""Durations that the user brings: every form is read, every fault is named with its token, and frames come back."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speechkd.align import Alignment, GivenOptions, make_aligner, token_durations
from speechkd.align.from_durations import alignment_from_durations
from speechkd.errors import DataError, SpeechkdError
from speechkd.text.tokens import Word, lay_out

RATE, HOP = 22050, 256
HOP_S = HOP / RATE
TWO = lay_out([Word("a", ("AH0",), "lexicon"), Word("bee", ("B", "IY1"), "lexicon")], ["|", "."])
FRAMES = [20, 10, 0, 6, 14, 36]
SAMPLES = np.zeros(86 * HOP, np.float32)


def aligned(folder: Path, **options: Any) -> Alignment:
    return make_aligner(GivenOptions(folder=folder, **options)).align(SAMPLES, RATE, TWO, utterance_id="u1")


def write(folder: Path, data: Any) -> None:
    (folder / "u1.json").write_text(data if isinstance(data, str) else json.dumps(data), encoding="utf-8")


def frames_of(alignment: Alignment) -> list[int]:
    frames: list[int] = token_durations(alignment, TWO, 86, HOP_S).tolist()
    return frames


@pytest.mark.parametrize(
    ("data", "options"),
    [
        ({"durations": FRAMES, "hop_s": HOP_S}, {}),
        ({"durations": FRAMES, "hop_samples": HOP}, {}),
        (FRAMES, {"hop_s": HOP_S}),
        ({"durations": FRAMES, "hop_s": HOP_S}, {"hop_s": 0.05}),
        ({"durations": [n * HOP_S for n in FRAMES], "unit": "seconds"}, {}),
        ([n * HOP_S for n in FRAMES], {"unit": "seconds"}),
    ],
)
def test_json_in_every_form(tmp_path: Path, data: Any, options: dict[str, Any]) -> None:
    write(tmp_path, data)
    assert frames_of(aligned(tmp_path, **options)) == FRAMES


@pytest.mark.parametrize("dtype", ["int64", "int16", "float32"])
def test_numpy(tmp_path: Path, dtype: str) -> None:
    np.save(tmp_path / "u1.npy", np.asarray(FRAMES, dtype))
    assert frames_of(aligned(tmp_path, hop_s=HOP_S)) == FRAMES


def test_table_and_its_faults(tmp_path: Path) -> None:
    table = tmp_path / "durations.jsonl"
    lines = [json.dumps({"id": name, "durations": FRAMES, "hop_s": HOP_S}) for name in ("u0", "u1")]
    table.write_text("\n".join([*lines, ""]), encoding="utf-8")
    assert frames_of(aligned(tmp_path)) == FRAMES
    table.write_text("\n".join([*lines, lines[0]]), encoding="utf-8")
    with pytest.raises(DataError, match=r"durations\.jsonl:3: Ambiguous durations: id 'u0' stands in line 1 too"):
        aligned(tmp_path)
    table.write_text(lines[1] + "\n{oops\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"durations\.jsonl:2: Not a line of JSON"):
        aligned(tmp_path)
    table.write_text(lines[0], encoding="utf-8")
    with pytest.raises(DataError, match="No alignment of u1"):
        aligned(tmp_path)


def test_one_number_per_phone_where_nothing_pauses(tmp_path: Path) -> None:
    write(tmp_path, {"durations": [30, 16, 40], "hop_s": HOP_S})
    assert frames_of(aligned(tmp_path)) == [0, 30, 0, 16, 40, 0]


@pytest.mark.parametrize("excess", [-3, 3])
def test_three_frames_off_are_the_last_tokens(tmp_path: Path, excess: int) -> None:
    write(tmp_path, {"durations": [*FRAMES[:-1], 36 + excess], "hop_s": HOP_S})
    assert frames_of(aligned(tmp_path)) == FRAMES


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([*FRAMES[:4], float("nan"), 36], r"Token 5 \(IY1 of 'bee'\) has duration nan"),
        ([20, 10, -1, 6, 14, 36], r"Token 3 \(\|\) has duration -1: frames are whole numbers from 0"),
        ([20, 10.5, 0, 5.5, 14, 36], r"Token 2 \(AH0 of 'a'\) has duration 10.5"),
        (FRAMES[:-2], r"4 durations do not fit the text: the text has 6 tokens, 3 of them phones: \^ AH0 \| B IY1 \."),
        ([*FRAMES[:-1], 40], r"another recording: they sum to 90 frames of 0.0116"),
        ([*FRAMES[:-1], "36"], r"Duration 6 is '36', not a number"),
        ([*FRAMES[:-1], True], r"Duration 6 is True, not a number"),
        ([*FRAMES[:-1], 10**400], r"too large"),
        ({"frames": FRAMES}, r"Not durations: unknown: frames"),
        ({}, r"there is no list of durations"),
        ({"durations": FRAMES, "unit": "samples"}, r"Unknown unit 'samples'"),
        ({"durations": FRAMES, "hop_s": -1}, r"hop_s is -1, not a positive number"),
        ("{", r"u1\.json: Not a JSON file"),
    ],
)
def test_faults_are_named(tmp_path: Path, data: Any, message: str) -> None:
    write(tmp_path, data)
    with pytest.raises(DataError, match=message):
        aligned(tmp_path, hop_s=HOP_S)


def test_frames_need_a_hop(tmp_path: Path) -> None:
    write(tmp_path, FRAMES)
    with pytest.raises(DataError, match=r'need a hop.*"hop_s".*align\.hop_s'):
        aligned(tmp_path)


@pytest.mark.parametrize("array", [np.zeros((2, 3)), np.asarray(["a"]), np.asarray(3)])
def test_arrays_that_are_no_durations(tmp_path: Path, array: Any) -> None:
    np.save(tmp_path / "u1.npy", array)
    with pytest.raises(DataError, match=r"u1\.npy: Not durations"):
        aligned(tmp_path, hop_s=HOP_S)


def test_pickles_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "u1.npy", np.asarray([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(DataError, match=r"Not a NumPy file: Object arrays cannot be loaded"):
        aligned(tmp_path, hop_s=HOP_S)


@settings(max_examples=200, deadline=None)
@given(junk=st.binary(max_size=60), kind=st.sampled_from(["u1.json", "u1.npy", "durations.jsonl"]))
def test_junk_gives_only_our_errors(tmp_path_factory: pytest.TempPathFactory, junk: bytes, kind: str) -> None:
    folder = tmp_path_factory.mktemp("junk")
    (folder / kind).write_bytes((b"\x93NUMPY" if kind.endswith("npy") else b"") + junk)
    with contextlib.suppress(SpeechkdError):
        assert list(aligned(folder, hop_s=HOP_S).problems()) == []


@st.composite
def sentences(draw: st.DrawFn) -> tuple[list[list[int]], list[int], int]:
    """Frames of the phones of each word, frames of the opening and of each pause, and the hop in samples."""
    words = draw(st.lists(st.lists(st.integers(0, 30), min_size=1, max_size=6), min_size=1, max_size=6))
    pauses = draw(st.lists(st.integers(0, 60), min_size=len(words) + 1, max_size=len(words) + 1))
    return words, pauses, draw(st.sampled_from([200, 256, 300]))


@settings(max_examples=300, deadline=None)
@given(sentences())
def test_frames_come_back_exactly_zeros_included(sentence: tuple[list[list[int]], list[int], int]) -> None:
    words, pauses, hop = sentence
    tokens = lay_out([Word("w", ("AH0",) * len(word), "rules") for word in words], ["|"] * len(words))
    frames = [pauses[0]]
    for word, pause in zip(words, pauses[1:], strict=True):
        frames += [*word, pause]
    hop_s = hop / RATE
    empty = sum(frame == 0 for word in words for frame in word)
    # A frame holds at least nine slivers of half a millisecond on either side of its middle.
    if sum(frames) == 0 or empty > 8:
        return
    found = alignment_from_durations(np.asarray(frames) * hop_s, tokens, sum(frames) * hop_s)
    assert token_durations(found, tokens, sum(frames), hop_s).tolist() == frames
    assert found.note == (f"{empty} of {sum(map(len, words))} phones got no frame" if empty else "")


def test_more_phones_than_a_recording_can_hold() -> None:
    tokens = lay_out([Word("w", ("AH0",) * 50, "rules")], ["."])
    with pytest.raises(DataError, match=r"too short for its phones: 50 phones in 0\.020 s"):
        alignment_from_durations(np.zeros(52), tokens, 0.02)
