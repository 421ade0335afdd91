"""Cutting a corpus into train, valid and test so that no sentence stands on two sides."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import defaultdict
from collections.abc import Mapping

from speechkd.errors import DataError

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


def _ranked_groups(texts: Mapping[str, str], seed: int) -> list[list[str]]:
    groups: dict[str, list[str]] = defaultdict(list)
    for identifier, text in texts.items():
        groups[same_words(text)].append(identifier)
    return [groups[words] for words in sorted(groups, key=lambda words: _rank(seed, words))]


def _rank(seed: int, words: str) -> bytes:
    return hashlib.sha256(f"{seed}\n{words}".encode()).digest()
