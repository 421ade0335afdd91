"""Exact dynamic programmes over monotonic paths: the best path and the sum over all paths, compiled with numba.

A path says for every frame which state of a small left-to-right network is heard. Which states may follow which is
given by `sources` (S + 1, P): the states from which state s may be entered, besides staying in s. `START` stands for
"before the first frame", `NONE` fills unused places, and row S says in which states a path may end. Every frame is in
one state and every state that is entered takes at least one frame.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast

import numpy as np
from numba import njit
from numpy.typing import NDArray

from speechkd.errors import DataError

START = -1
NONE = -2

_IMPOSSIBLE = -1e30

Array = NDArray[Any]
Function = TypeVar("Function", bound=Callable[..., Any])


def _compiled(function: Function) -> Function:
    """The function compiled at its first call, and kept on disk where there is a place that can be written."""
    try:
        return cast(Function, njit(cache=True)(function))
    except RuntimeError:  # numba found no such place
        return cast(Function, njit(function))


def chain(skippable: Sequence[bool]) -> NDArray[np.int32]:
    """`sources` (S + 1, P) of a chain of states in which those marked may be passed over, also several in a row."""
    rows: list[list[int]] = []
    reach: list[int] = [START]
    for state, skip in enumerate(skippable):
        rows.append(reach)
        reach = [state, *reach] if skip else [state]
    return pack_sources([*rows, reach])


def pack_sources(rows: Sequence[Sequence[int]]) -> NDArray[np.int32]:
    """The rows as one array, filled up with `NONE`; at most 65,534 states may come before one."""
    sources = np.full((len(rows), max(map(len, rows))), NONE, np.int32)
    for row, states in zip(sources, rows, strict=True):
        row[: len(states)] = states
    return sources


def best_path(log_probs: Array, sources: Array) -> NDArray[np.int32]:
    """The state of every frame (F,) on the path of greatest sum (Viterbi 1967).

    log_probs: (F, S), finite. Of equal paths, the one that stays longest in the later state. Raises `DataError` when
    no path fits: fewer frames than the shortest way through the states.
    """
    path, found = _best_path(_floats(log_probs), sources)
    if not found:
        raise _too_short(log_probs)
    return path


def forward_sum(log_probs: Array, sources: Array) -> tuple[float, NDArray[np.float32]]:
    """log of the sum over all paths of exp(sum along the path), and every state's share of it per frame (F, S).

    The shares are the derivative of the sum by log_probs (Rabiner 1989, equation 27): each row adds up to 1.
    Raises `DataError` when no path fits.
    """
    total, shares = _forward_backward(_floats(log_probs), sources)
    if total <= _IMPOSSIBLE / 2:
        raise _too_short(log_probs)
    return total, shares


def monotonic_durations(log_probs: Array, skippable: Sequence[bool] | None = None) -> NDArray[np.int64]:
    """Frames of every token (T,) on the best monotonic path through a soft attention (Kim et al. 2020, Glow-TTS).

    log_probs: (T, F). Every token gets at least one frame, tokens marked in `skippable` none where that is better.
    Raises `DataError` when there are fewer frames than tokens that need one.
    """
    n_tokens = len(log_probs)
    sources = chain([False] * n_tokens if skippable is None else skippable)
    path = best_path(np.asarray(log_probs).T, sources)
    return np.bincount(path, minlength=n_tokens).astype(np.int64)


def _floats(log_probs: Array) -> NDArray[np.float32]:
    return np.ascontiguousarray(log_probs, np.float32)


def _too_short(log_probs: Array) -> DataError:
    why = f"{log_probs.shape[0]} frames cannot hold it"
    return DataError("Cannot align", why=why, todo="Check that the text is of this recording.")


@_compiled
def _best_path(log_probs: Array, sources: Array) -> tuple[Array, bool]:
    n_frames, n_states = log_probs.shape
    width = sources.shape[1]
    came_from = np.zeros((n_frames, n_states), np.uint16)  # 0: the same state, else 1 + place in `sources`
    score = np.full(n_states, _IMPOSSIBLE)
    for state in range(n_states):
        for place in range(width):
            if sources[state, place] == START:
                score[state] = log_probs[0, state]
    for frame in range(1, n_frames):
        before = score.copy()
        for state in range(n_states):
            best, origin = before[state], 0
            for place in range(width):
                source = sources[state, place]
                if source >= 0 and before[source] > best:
                    best, origin = before[source], place + 1
            score[state] = best + log_probs[frame, state] if best > _IMPOSSIBLE else _IMPOSSIBLE
            came_from[frame, state] = origin
    path = np.empty(n_frames, np.int32)
    best, state = _IMPOSSIBLE, -1
    for place in range(width):
        source = sources[n_states, place]
        if source >= 0 and score[source] > best:
            best, state = score[source], source
    if state < 0:
        return path, False
    for frame in range(n_frames - 1, -1, -1):
        path[frame] = state
        if came_from[frame, state]:
            state = sources[state, came_from[frame, state] - 1]
    return path, True


@_compiled
def _add(first: float, second: float) -> float:
    """log(exp(first) + exp(second))."""
    if first < second:
        first, second = second, first
    return first + np.log1p(np.exp(second - first)) if second > _IMPOSSIBLE else first


@_compiled
def _forward_backward(log_probs: Array, sources: Array) -> tuple[float, Array]:
    n_frames, n_states = log_probs.shape
    width = sources.shape[1]
    forward = np.full((n_frames, n_states), _IMPOSSIBLE)
    for state in range(n_states):
        for place in range(width):
            if sources[state, place] == START:
                forward[0, state] = log_probs[0, state]
    for frame in range(1, n_frames):
        for state in range(n_states):
            into = forward[frame - 1, state]
            for place in range(width):
                source = sources[state, place]
                if source >= 0:
                    into = _add(into, forward[frame - 1, source])
            if into > _IMPOSSIBLE:
                forward[frame, state] = into + log_probs[frame, state]
    total = _IMPOSSIBLE
    backward = np.full(n_states, _IMPOSSIBLE)
    for place in range(width):
        source = sources[n_states, place]
        if source >= 0:
            backward[source] = 0.0
            total = _add(total, forward[n_frames - 1, source])
    shares = np.zeros((n_frames, n_states), np.float32)
    for frame in range(n_frames - 1, -1, -1):
        for state in range(n_states):
            if forward[frame, state] > _IMPOSSIBLE and backward[state] > _IMPOSSIBLE:
                shares[frame, state] = np.exp(forward[frame, state] + backward[state] - total)
        if frame:
            backward = _step_back(backward, log_probs[frame], sources)
    return total, shares


@_compiled
def _step_back(backward: Array, log_probs: Array, sources: Array) -> Array:
    n_states = len(backward)
    into = np.full(n_states, _IMPOSSIBLE)
    for state in range(n_states):
        if backward[state] > _IMPOSSIBLE:
            value = backward[state] + log_probs[state]
            into[state] = _add(into[state], value)
            for place in range(sources.shape[1]):
                source = sources[state, place]
                if source >= 0:
                    into[source] = _add(into[source], value)
    return into
