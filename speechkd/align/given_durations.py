"""Durations that the user brings, one number per token or per phone.

`<id>.json`, or the lines of one `durations.jsonl` with an `"id"` each, hold a list of numbers or an object::

    {"durations": [8, 4, 11, …], "unit": "frames", "hop_s": 0.0116}

`unit` is "frames" (whole numbers) or "seconds"; frames need a hop, from the file (`hop_s`, or `hop_samples` at the
recording's rate) or from the options. `<id>.npy` holds the numbers alone, (T,). There is a number for each token
(opening, phones, pauses), or for each phone where nothing pauses.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from speechkd.align.from_durations import alignment_from_durations
from speechkd.align.options import GivenOptions
from speechkd.align.types import Alignment
from speechkd.errors import DataError

if TYPE_CHECKING:
    from speechkd.text import Tokens

#: Frames by which the durations may differ from the recording: encoders pad, trim or drop the last window.
_TOLERANCE_FRAMES = 3

_TODO = "Correct the file, or leave the utterance out."


@dataclass(frozen=True)
class Durations:
    """Numbers (N,) as the user gave them, and where from."""

    values: tuple[float, ...]
    unit: str
    hop_s: float | None
    hop_samples: int | None
    where: str


def find_durations(options: GivenOptions, utterance_id: str) -> Durations | None:
    """The durations of an utterance, or None when there are none. Raises `DataError` for a file of another form."""
    path = options.folder / f"{utterance_id}.json"
    if path.is_file():
        return _durations(_read_json(path), options, str(path))
    path = options.folder / f"{utterance_id}.npy"
    if path.is_file():
        return _durations(_read_array(path), options, str(path))
    table = options.folder / "durations.jsonl"
    if table.is_file():
        status = table.stat()
        line = _lines(table, status.st_mtime_ns, status.st_size).get(utterance_id)
        if line is not None:
            return _durations(line[1], options, f"{table}:{line[0]}")
    return None


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise DataError("Not a JSON file", where=str(path), why=str(error), todo=_TODO) from error


def _read_array(path: Path) -> list[float]:
    try:
        array = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DataError("Not a NumPy file", where=str(path), why=str(error), todo=_TODO) from error
    if not isinstance(array, np.ndarray) or array.ndim != 1 or array.dtype.kind not in "iuf":
        shape = getattr(array, "shape", "several arrays")
        why = f"one row of numbers was expected, not {shape} of {getattr(array, 'dtype', 'them')}"
        raise DataError("Not durations", where=str(path), why=why, todo=_TODO)
    values: list[float] = array.tolist()
    return values


@lru_cache(maxsize=4)
def _lines(path: Path, _changed_ns: int, _size: int) -> dict[str, tuple[int, Any]]:
    """Line number and content of each id. Time and size of the file are arguments so that a new file is read anew."""
    found: dict[str, tuple[int, Any]] = {}
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError("Cannot read the durations", where=str(path), why=str(error)) from error
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            data = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise DataError("Not a line of JSON", where=f"{path}:{number}", why=str(error), todo=_TODO) from error
        name = data.get("id") if isinstance(data, dict) else None
        if not isinstance(name, str) or name in found:
            why = f"id {name!r} stands in line {found[name][0]} too" if name in found else "a line has no id"
            raise DataError("Ambiguous durations", where=f"{path}:{number}", why=why, todo=_TODO)
        found[name] = (number, data)
    return found


def _durations(data: Any, options: GivenOptions, where: str) -> Durations:
    plain = data if isinstance(data, dict) else {"durations": data}
    unknown = sorted(set(plain) - {"id", "durations", "unit", "hop_s", "hop_samples"})
    values = plain.get("durations")
    if unknown or not isinstance(values, list):
        why = f"unknown: {', '.join(map(str, unknown))}" if unknown else "there is no list of durations"
        raise DataError("Not durations", where=where, why=why, todo=_TODO)
    for place, value in enumerate(values):
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise DataError(f"Duration {place + 1} is {value!r}, not a number", where=where, todo=_TODO)
    unit = plain.get("unit", options.unit)
    if unit not in ("frames", "seconds"):
        raise DataError(f"Unknown unit {unit!r}", where=where, why="it is frames or seconds", todo=_TODO)
    hops = [plain.get(name) for name in ("hop_s", "hop_samples")]
    for name, hop in zip(("hop_s", "hop_samples"), hops, strict=True):
        if hop is not None and (isinstance(hop, bool) or not isinstance(hop, int | float) or not 0 < hop < 1e6):
            raise DataError(f"{name} is {hop!r}, not a positive number", where=where, todo=_TODO)
    if hops == [None, None]:
        hops[0] = options.hop_s
    return Durations(tuple(values), unit, hops[0], hops[1], where)


def align_durations(durations: Durations, tokens: Tokens, duration_s: float, sample_rate: int) -> Alignment:
    """The alignment that the durations describe; `DataError` names the token that cannot be right."""
    where = durations.where
    hop_s = durations.hop_s or (durations.hop_samples or 0) / sample_rate or None
    if durations.unit == "frames" and hop_s is None:
        todo = 'Add "hop_s" to the file, or set align.hop_s.'
        raise DataError("Durations in frames need a hop", where=where, todo=todo)
    values = _per_token(durations, tokens)
    _check(values, durations, tokens)
    step_s = hop_s if durations.unit == "frames" and hop_s else 1.0
    seconds = values * step_s
    total_s, tolerance_s = float(seconds.sum()), _TOLERANCE_FRAMES * (hop_s or 0.0125)
    if abs(total_s - duration_s) > tolerance_s + 1e-9:
        given = f"{values.sum():g} frames of {step_s:g} s, " if durations.unit == "frames" else ""
        why = f"they sum to {given}{total_s:.3f} s, the recording is {duration_s:.3f} s long"
        raise DataError("The durations are of another recording", where=where, why=why, todo=_TODO)
    return alignment_from_durations(seconds, tokens, duration_s, where)


def _per_token(durations: Durations, tokens: Tokens) -> NDArray[np.float64]:
    """One number for each token, (T,); where only phones were given, nothing pauses."""
    phones = [place for place, word in enumerate(tokens.word_index) if word >= 0]
    try:
        given = np.asarray(durations.values, dtype=np.float64)
    except OverflowError as error:
        raise DataError("A duration is too large", where=durations.where, why=str(error), todo=_TODO) from error
    if len(given) == len(tokens):
        return given
    if len(given) != len(phones):
        why = f"the text has {len(tokens)} tokens, {len(phones)} of them phones: {' '.join(tokens.symbols)}"
        raise DataError(f"{len(given)} durations do not fit the text", where=durations.where, why=why, todo=_TODO)
    values = np.zeros(len(tokens))
    values[phones] = given
    return values


def _check(values: NDArray[np.float64], durations: Durations, tokens: Tokens) -> None:
    wrong = ~np.isfinite(values) | (values < 0)
    if durations.unit == "frames":
        wrong |= values != np.floor(values)
    for place in np.flatnonzero(wrong)[:1]:
        word = tokens.word_index[place]
        name = f"{tokens.symbols[place]}" + (f" of {tokens.words[word].text!r}" if word >= 0 else "")
        why = "frames are whole numbers from 0" if durations.unit == "frames" else "seconds are numbers from 0"
        what = f"Token {place + 1} ({name}) has duration {values[place]:g}"
        raise DataError(what, where=durations.where, why=why, todo=_TODO)
