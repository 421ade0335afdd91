"""From pronunciations to tags: what each letter of a word says."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from recipes.tts.g2p.dictionary import Dictionary
from recipes.tts.g2p.letter_alignment import align_letters
from speechkd.runner import Context
from speechkd.text.g2p import tag_of

TAGS, TAGGED = "tags.json", "tagged.tsv"


class Tagged(NamedTuple):
    """One pronunciation of a word, a tag for each letter."""

    word: str
    tags: tuple[str, ...]


def run(cfg: Any, ctx: Context) -> None:
    """Write `tagged`: tags.json, the tags by number; tagged.tsv, word and tags, of training and validation words."""
    dictionary = Dictionary.read(ctx.input("dictionary"))
    # The words of the test are not looked at: neither their letters nor their sounds shape the tags.
    seen = [word for part in ("train", "valid") for word in dictionary.splits[part]]
    pairs = [(word, phones) for word in seen for phones in dictionary.words[word]]
    found = [
        Tagged(word, tuple(map(tag_of, chunks)))
        for (word, _), chunks in zip(pairs, align_letters(pairs, cfg.align.rounds), strict=True)
        if chunks is not None
    ]
    tags = frequent_tags(found, cfg.align.fewest)
    kept = [each for each in found if set(tags).issuperset(each.tags)]
    out = ctx.output("tagged")
    (out / TAGS).write_text(json.dumps(tags, indent=0), encoding="utf-8")
    (out / TAGGED).write_text("".join(f"{word}\t{' '.join(tags)}\n" for word, tags in kept), encoding="utf-8")
    ctx.log.info("%d tags; %d of %d pronunciations fit them", len(tags), len(kept), len(pairs))


def frequent_tags(tagged: Sequence[Tagged], fewest: int) -> list[str]:
    """The tags that occur at least so often, sorted."""
    counts = Counter(tag for each in tagged for tag in each.tags)
    return sorted(tag for tag, count in counts.items() if count >= fewest)


def read_tagged(folder: Path) -> tuple[list[str], list[Tagged]]:
    """The artifact `tagged`: all tags, and the tagged pronunciations."""
    tags: list[str] = json.loads((folder / TAGS).read_text(encoding="utf-8"))
    lines = (folder / TAGGED).read_text(encoding="utf-8").splitlines()
    rows = (line.split("\t") for line in lines)
    return tags, [Tagged(word, tuple(row.split())) for word, row in rows]
