"""Durations out of the attention of an autoregressive teacher (FastSpeech, Ren et al. 2019, section 3.3).

An encoder-decoder attention A (F, T) has a row per frame and a column per token; each row says where the teacher looks
while it makes that frame. Its focus rate tells heads that follow the text from others.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from speechkd.align.from_durations import alignment_from_durations
from speechkd.align.options import AttentionOptions
from speechkd.align.types import Alignment
from speechkd.errors import DataError

if TYPE_CHECKING:
    from speechkd.text import Tokens

Attention = NDArray[np.floating[Any]]

#: Attention below this counts as this on the monotone path, whose score is a sum of logarithms.
_FLOOR = 1e-8

#: Frames by which attention and recording may differ: teachers pad, trim or drop the last window.
_TOLERANCE_FRAMES = 3


@dataclass(frozen=True)
class Head:
    """The chosen attention head: numbers of its layer and of the head in it, and its mean focus rate."""

    layer: int
    head: int
    focus_rate: float


def focus_rate(attention: Attention, lengths: tuple[int, int] | None = None) -> NDArray[np.float64]:
    """Focus rate of every head: (1/F) Σ_f max_t a[f, t]. FastSpeech, section 3.3.

    attention: (L, H, F, T), or any other leading axes, which are kept: the result is (L, H). lengths: frames and tokens
    that are no padding. Raises `DataError` for no frame, no token, or a value that is not finite.
    """
    valid = _valid(attention, lengths)
    rates: NDArray[np.float64] = valid.max(axis=-1).mean(axis=-1, dtype=np.float64)
    return rates


def _valid(attention: Attention, lengths: tuple[int, int] | None) -> Attention:
    """The part of the attention that is no padding."""
    frames, tokens = lengths or attention.shape[-2:]
    valid = attention[..., :frames, :tokens]
    if valid.shape[-2:] != (frames, tokens) or not frames or not tokens:
        raise DataError(f"Attention of shape {attention.shape} has no {frames} frames by {tokens} tokens")
    if not np.isfinite(valid).all():
        raise DataError("The attention holds a value that is not finite", todo="Run the teacher again.")
    return valid


def choose_head(rates: Iterable[NDArray[np.float64]]) -> Head:
    """The one head with the largest mean focus rate over many utterances; the first of equal ones.

    rates: `focus_rate` of each utterance, (L, H) each. One head for the whole corpus: a head that leads by chance in a
    single utterance does not follow the text there. Raises `DataError` without utterances or when shapes differ.
    """
    total: NDArray[np.float64] | None = None
    count = 0
    for each in rates:
        if each.ndim != 2 or (total is not None and each.shape != total.shape):
            shapes = f"{each.shape}" if total is None else f"{total.shape} and {each.shape}"
            raise DataError("Focus rates are no table of layers by heads, or of another teacher", why=shapes)
        total = each.astype(np.float64) if total is None else total + each
        count += 1
    if total is None:
        raise DataError("No attention to choose a head from")
    layer, head = divmod(int(np.argmax(total)), total.shape[1])
    return Head(layer, head, float(total[layer, head] / count))


def durations_from_attention(
    head: Attention, method: Literal["argmax", "monotone"] = "argmax", min_frames: int = 0
) -> NDArray[np.int64]:
    """Frames of every token, (T,) int64, with sum F. head: (F, T).

    argmax: d[i] = Σ_f [argmax_t a[f, t] = i] (FastSpeech, section 3.3; the first of equal tokens), which ignores
    `min_frames` and the order of the frames. monotone: the path that only goes forward, with the largest Σ_f log a, and
    at least `min_frames` (0 or 1) frames for each token. Raises `DataError` when there are fewer frames than tokens to
    give one to.
    """
    if head.ndim != 2:
        raise DataError(f"Attention of one head is (frames, tokens), not {head.shape}")
    head = _valid(head, None)
    places = head.argmax(axis=1) if method == "argmax" else _monotone_path(head, min_frames)
    return np.bincount(places, minlength=head.shape[1]).astype(np.int64)


def _monotone_path(head: Attention, min_frames: int) -> NDArray[np.int64]:
    """The token of every frame, (F,): dynamic programming, one vector operation over all tokens per frame."""
    frames, tokens = head.shape
    if min_frames and frames < tokens:
        raise DataError(f"{frames} frames are too few for {tokens} tokens", todo="Set align.min_frames to 0.")
    gains = np.log(np.maximum(head, _FLOOR), dtype=np.float64)
    order = np.arange(tokens)
    came_from = np.zeros((frames, tokens), dtype=np.int64)
    score = gains[0].copy()
    if min_frames:
        score[1:] = -np.inf
    for frame in range(1, frames):
        if min_frames:
            stay_or_step = np.concatenate([[-np.inf], score[:-1]])
            came_from[frame] = np.where(stay_or_step > score, order - 1, order)
            score = np.maximum(score, stay_or_step) + gains[frame]
        else:
            best = np.maximum.accumulate(score)
            # The place of the first best score so far: where the running maximum rises, or the last such place.
            rises = np.concatenate([[True], best[1:] > best[:-1]])
            came_from[frame] = np.maximum.accumulate(np.where(rises, order, 0))
            score = best + gains[frame]
    place = tokens - 1 if min_frames else int(np.argmax(score))
    path = np.empty(frames, dtype=np.int64)
    for frame in range(frames - 1, -1, -1):
        path[frame] = place
        place = came_from[frame, place]
    return path


class AttentionAligner:
    """Reads `<folder>/<utterance id>.safetensors`: array `attention`, (L, H, F, T) or one head's (F, T).

    Metadata `hop_s` holds the seconds per frame. The head is that of `<folder>/head.json` ({"layer": 0, "head": 1}),
    else the one with the largest mean focus rate over the first `head_utterances` files in the order of their names.
    """

    def __init__(self, options: AttentionOptions) -> None:
        self._options = options

    def align(
        self, samples: NDArray[np.float32], sample_rate: int, tokens: Tokens, *, utterance_id: str = ""
    ) -> Alignment:
        """The alignment by the teacher's attention; `DataError` when it does not fit or its focus rate is too low."""
        options, duration_s = self._options, len(samples) / sample_rate
        path = options.folder / f"{utterance_id}.safetensors"
        where = str(path)
        attention, hop_s = read_attention(path)
        hop_s = hop_s or options.hop_s
        if hop_s is None:
            todo = "Write hop_s into the file's metadata, or set align.hop_s."
            raise DataError("Attention needs a hop", where=where, todo=todo)
        if attention.ndim == 4:
            chosen = chosen_head(options)
            attention = _one_head(attention, chosen, where)
        _check_size(attention, tokens, duration_s, hop_s, where)
        rate = float(focus_rate(attention))
        if rate < options.min_focus_rate:
            why = f"focus rate {rate:.3f}, at least {options.min_focus_rate:g} was asked for"
            raise DataError("The teacher's attention does not follow the text", where=where, why=why)
        frames = durations_from_attention(attention, options.method, options.min_frames)
        return alignment_from_durations(frames.astype(np.float64) * hop_s, tokens, duration_s, where)


def _one_head(attention: Attention, chosen: Head, where: str) -> Attention:
    layers, heads = attention.shape[:2]
    if chosen.layer >= layers or chosen.head >= heads:
        why = f"the file has {layers} layers of {heads} heads"
        raise DataError(f"There is no head {chosen.head} in layer {chosen.layer}", where=where, why=why)
    one: Attention = attention[chosen.layer, chosen.head]
    return one


def _check_size(head: Attention, tokens: Tokens, duration_s: float, hop_s: float, where: str) -> None:
    frames, columns = head.shape
    if columns != len(tokens):
        why = f"it has {columns} columns, the text {len(tokens)} tokens"
        raise DataError("The attention is of another text", where=where, why=why, todo="Run the teacher again.")
    if abs(frames * hop_s - duration_s) > _TOLERANCE_FRAMES * hop_s + 1e-9:
        why = f"its {frames} frames take {frames * hop_s:.3f} s, the recording {duration_s:.3f} s"
        raise DataError("The attention is of another recording", where=where, why=why, todo="Run the teacher again.")


def read_attention(path: Path) -> tuple[Attention, float | None]:
    """The attention in a file, (L, H, F, T) or (F, T), and its hop in seconds. Raises `DataError` with the reason."""
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise DataError("No attention was stored", where=str(path), todo="Run the teacher over this utterance.")
    try:
        with safe_open(path, framework="numpy") as file:
            attention: Attention = file.get_tensor("attention")
            metadata = file.metadata() or {}
    except (SafetensorError, OSError, TypeError) as error:
        raise DataError("Cannot read the attention", where=str(path), why=str(error)) from error
    if attention.ndim not in (2, 4) or attention.dtype.kind != "f":
        why = f"it is {attention.shape} of {attention.dtype}, not (layers, heads, frames, tokens) of numbers"
        raise DataError("Not an attention", where=str(path), why=why)
    return attention, _hop(metadata, path)


def _hop(metadata: dict[str, str], path: Path) -> float | None:
    if "hop_s" not in metadata:
        return None
    try:
        hop_s = float(metadata["hop_s"])
    except ValueError:
        hop_s = 0.0
    if not 0 < hop_s <= 1:
        raise DataError(f"hop_s is {metadata['hop_s']!r}, not seconds", where=str(path))
    return hop_s


@lru_cache(maxsize=4)
def chosen_head(options: AttentionOptions) -> Head:
    """The head that the options' folder is read by. Raises `DataError` for a wrong head.json or an empty folder."""
    path = options.folder / "head.json"
    if path.is_file():
        return _read_head(path)
    files = sorted(options.folder.glob("*.safetensors"))
    attentions = ((file, read_attention(file)[0]) for file in islice(files, options.head_utterances))
    return choose_head(_rates(file, attention) for file, attention in attentions)


def _rates(path: Path, attention: Attention) -> NDArray[np.float64]:
    if attention.ndim != 4:
        why = f"it is {attention.shape}, others have layers and heads"
        raise DataError("Files with one head among files with several", where=str(path), why=why)
    return focus_rate(attention)


def _read_head(path: Path) -> Head:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        layer, head = data["layer"], data["head"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError("Not a head", where=str(path), why=f"{type(error).__name__}: {error}") from error
    if not all(isinstance(number, int) and number >= 0 for number in (layer, head)):
        raise DataError("Not a head", where=str(path), why="layer and head are whole numbers from 0")
    rate = data.get("focus_rate", float("nan"))
    return Head(layer, head, float(rate) if isinstance(rate, int | float) else float("nan"))
