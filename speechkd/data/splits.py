"""Cutting a corpus into train, valid and test so that no sentence stands on two sides."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Literal

from speechkd.data.corpus import Utterance
from speechkd.errors import DataError

SplitBy = Literal["sentence", "speaker", "official"]

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")


def same_words(text: str) -> str:
    """`text` without case, punctuation and spacing: two takes of a sentence give the same."""
    folded = unicodedata.normalize("NFKC", text).casefold().replace("’", "'")
    return " ".join(_WORD.findall(folded))


def split_ids(texts: Mapping[str, str], n_valid: int, n_test: int, seed: int) -> dict[str, list[str]]:
    """Sorted ids of "train", "valid" and "test", with exactly `n_valid` and `n_test` ids in the last two.

    A pure function of the texts (id -> text) and `seed`, whatever their order: sentences are ranked by a hash of seed
    and words and go to test, then valid, then train; ids with the same words go together, so that a second take never
    leaks from train into test. Adding utterances does not change the rank of the others.

    Raises `DataError` when nothing would be left for training or the groups do not fit the numbers.
    """
    if n_valid < 0 or n_test < 0 or n_valid + n_test >= len(texts):
        why = f"{n_valid} + {n_test} of {len(texts)} utterances leave none to train on"
        raise DataError("Cannot split the corpus", why=why, todo="Ask for fewer, or bring more recordings.")
    room = {"test": n_test, "valid": n_valid}
    parts: dict[str, list[str]] = {"train": [], "valid": [], "test": []}
    for ids in _ranked_groups(texts, seed):
        part = next((name for name, left in room.items() if len(ids) <= left), "train")
        parts[part] += ids
        if part in room:
            room[part] -= len(ids)
    if any(room.values()) or not parts["train"]:
        why = "the sentences that are read several times do not fit the numbers asked for"
        raise DataError("Cannot split the corpus", why=why, todo="Ask for other numbers of valid and test utterances.")
    return {name: sorted(ids) for name, ids in parts.items()}


def split_utterances(
    utterances: Sequence[Utterance], by: SplitBy, n_valid: int, n_test: int, seed: int, n_speakers: int = 1
) -> dict[str, list[str]]:
    """Sorted ids of "train", "valid" and "test", never with a sentence on two sides, and "left_out" if need be.

    by: "sentence" (`split_ids`), "speaker" (`split_by_speaker`) or "official" (`split_officially`).
    """
    if by == "official":
        parts = split_officially(utterances)
    elif by == "speaker":
        parts = split_by_speaker(utterances, n_valid, n_test, seed, n_speakers)
    else:
        parts = split_ids({each.id: each.text for each in utterances}, n_valid, n_test, seed)
    return {part: ids for part, ids in parts.items() if ids or part != "left_out"}


def split_by_speaker(
    utterances: Sequence[Utterance], n_valid: int, n_test: int, seed: int, n_speakers: int = 1
) -> dict[str, list[str]]:
    """Like `split_ids`, but "valid" and "test" are spoken by `n_speakers` voices each that training never hears.

    The speakers are ranked by a hash of seed and name, their utterances by one of seed and words. Sentences that
    training has, too, are not used to test; they and what exceeds the numbers are listed under "left_out".

    Raises `DataError` when there are too few speakers, or too few sentences of their own.
    """
    names = sorted({each.speaker for each in utterances}, key=lambda name: _rank(seed, f"speaker {name}"))
    if len(names) <= 2 * n_speakers:
        why = f"{len(names)} speakers, {2 * n_speakers} of them unseen, leave none to train on"
        raise DataError("Cannot split the corpus by speaker", why=why, todo="Split it by sentence.")
    parts: dict[str, list[str]] = {"left_out": []}
    unseen = set(names[: 2 * n_speakers])
    taken = {same_words(each.text) for each in utterances if each.speaker not in unseen}
    held = (("test", names[:n_speakers], n_test), ("valid", names[n_speakers : 2 * n_speakers], n_valid))
    for part, speakers, number in held:
        own = {each.id: each.text for each in utterances if each.speaker in speakers}
        ranked = [ids[0] for ids in _ranked_groups(own, seed) if same_words(own[ids[0]]) not in taken]
        if len(ranked) < number:
            why = f"{', '.join(speakers)} read {len(ranked)} sentences that nobody else on another side reads"
            raise DataError(f"Cannot hold out {number} utterances for {part}", why=why, todo="Ask for fewer.")
        parts[part] = ranked[:number]
        taken |= {same_words(own[id_]) for id_ in parts[part]}
        parts["left_out"] += sorted(set(own) - set(parts[part]))
    parts["train"] = [each.id for each in utterances if each.speaker not in unseen]
    return {part: sorted(ids) for part, ids in parts.items()}


def split_officially(utterances: Sequence[Utterance]) -> dict[str, list[str]]:
    """The corpus's own parts. A training utterance with the words of a held-out one is listed under "left_out".

    Raises `DataError` when the corpus has no such parts.
    """
    parts: dict[str, list[str]] = {"train": [], "valid": [], "test": [], "left_out": []}
    taken: dict[str, str] = {}
    for part in ("test", "valid", "train"):
        for each in utterances:
            if each.part == part:
                first = taken.setdefault(same_words(each.text), part)
                parts[part if first == part else "left_out"].append(each.id)
    missing = [part for part in ("train", "valid", "test") if not parts[part]]
    if missing:
        why = f"no utterance is marked as {' or '.join(missing)}"
        raise DataError("The corpus has no split of its own", why=why, todo="Split it by sentence, or bring all parts.")
    parts["left_out"] += [each.id for each in utterances if each.part not in parts]
    return {part: sorted(ids) for part, ids in parts.items()}


def _ranked_groups(texts: Mapping[str, str], seed: int) -> list[list[str]]:
    groups: dict[str, list[str]] = defaultdict(list)
    for identifier, text in texts.items():
        groups[same_words(text)].append(identifier)
    return [groups[words] for words in sorted(groups, key=lambda words: _rank(seed, words))]


def _rank(seed: int, words: str) -> bytes:
    return hashlib.sha256(f"{seed}\n{words}".encode()).digest()
