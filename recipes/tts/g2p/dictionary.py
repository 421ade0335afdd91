"""The words that are learnt and held out: the CMU dictionary's words of letters and apostrophes."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from speechkd.data.splits import split_ids
from speechkd.runner import Context
from speechkd.text import cmu_lexicon
from speechkd.text.extra_words import EXTRA_WORDS

Phones = tuple[str, ...]

_WORD = re.compile(r"(?=.*[a-z])[a-z']+")
WORDS, SPLITS = "words.tsv", "splits.json"


@dataclass(frozen=True)
class Dictionary:
    """Words with all their pronunciations, and the words of `train`, `valid` and `test`."""

    words: Mapping[str, tuple[Phones, ...]]
    splits: Mapping[str, list[str]]

    @classmethod
    def read(cls, folder: Path) -> Dictionary:
        """Read the artifact `dictionary`."""
        words = {}
        for line in (folder / WORDS).read_text(encoding="utf-8").splitlines():
            word, *variants = line.split("\t")
            words[word] = tuple(tuple(variant.split()) for variant in variants)
        return cls(words, json.loads((folder / SPLITS).read_text(encoding="utf-8")))

    def write(self, folder: Path) -> None:
        """Fill the artifact `dictionary`."""
        lines = ["\t".join([word, *map(" ".join, variants)]) + "\n" for word, variants in sorted(self.words.items())]
        (folder / WORDS).write_text("".join(lines), encoding="utf-8")
        (folder / SPLITS).write_text(json.dumps(self.splits, indent=0, sort_keys=True), encoding="utf-8")


def cmu_dictionary(n_valid: int, n_test: int, seed: int, limit: int = 0) -> Dictionary:
    """The dictionary and its split, a pure function of the numbers.

    Words that differ only in apostrophes at their ends go together. limit: use only so many words; 0 uses all.
    """
    lexicon = cmu_lexicon()
    listed = [word for word in lexicon.words() if _WORD.fullmatch(word) and word not in EXTRA_WORDS]
    if limit:
        listed = listed[:: max(1, len(listed) // limit)][:limit]
    words = {word: tuple(dict.fromkeys(lexicon.variants(word))) for word in listed}
    return Dictionary(words, split_ids({word: word for word in words}, n_valid, n_test, seed))


def run(cfg: Any, ctx: Context) -> None:
    """Write `dictionary`: words.tsv (word, then each pronunciation) and splits.json."""
    dictionary = cmu_dictionary(cfg.split.valid, cfg.split.test, cfg.split.seed, cfg.split.limit)
    dictionary.write(ctx.output("dictionary"))
    sizes = ", ".join(f"{len(words)} {part}" for part, words in dictionary.splits.items())
    left_out = len(cmu_lexicon().words()) - len(dictionary.words)
    ctx.log.info("%s; %d words left out for other signs than letters and apostrophes", sizes, left_out)
