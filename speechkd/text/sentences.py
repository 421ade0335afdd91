"""Cutting long text into sentences, without stumbling over abbreviations, initials and numbers."""

from __future__ import annotations

import re

from speechkd.text.rules.abbreviations import ANYWHERE, BEFORE_NUMBERS, LATIN, TITLES
from speechkd.text.rules.dates import MONTHS
from speechkd.text.rules.rule import starts_sentence

# Marks, closing quotes and brackets, then a blank (or a full-width mark with none).
# Phonemes in double brackets are one piece, whatever stands between them.
_END = re.compile(
    r"\[\[[^\[\]]*\]\]|[.!?\u2026]+[\"'\u2019\u201d)\]]*(?=\s)|[\u3002\uff01\uff1f]+|\n[^\S\n]*(?:\n\s*)+"
)
_LAST_WORD = re.compile(r"[\w.'\u2019-]{1,40}$")
_NEVER_LAST = frozenset(TITLES) | frozenset(BEFORE_NUMBERS) - {"no", "No", "art", "Art", "ch", "p", "c"}
_SELDOM_LAST = frozenset(ANYWHERE) | {name[:3].title() for name in MONTHS} | {"Sept"}


def split_sentences(text: str) -> list[str]:
    """The sentences of the text, stripped; none is empty, and nothing but white space is lost between them."""
    sentences: list[str] = []
    start = 0
    for match in _END.finditer(text):
        if match[0][0] != "[" and _ends_sentence(text, match):
            sentences.append(text[start : match.end()].strip())
            start = match.end()
    sentences.append(text[start:].strip())
    return [sentence for sentence in sentences if sentence]


def _ends_sentence(text: str, match: re.Match[str]) -> bool:
    mark = match[0]
    follows = text[match.end() : match.end() + 40].lstrip().lstrip("\"'\u2018\u201c([")[:1]
    if mark[0] != "." or len(mark.rstrip("\"'\u2019\u201d)]")) > 1:
        # "Stop!" he said. and "well... maybe" go on in small letters.
        return mark.isspace() or not follows.islower()
    word = _LAST_WORD.search(text, max(0, match.start() - 40), match.start())
    last = word[0].lstrip("'\u2019") if word else ""
    if last in _NEVER_LAST or last + "." in LATIN or (len(last) == 1 and last.isupper() and last != "I"):
        return False
    if "." in last and last.lower() not in ("a.m", "p.m"):
        return starts_sentence(text, match.end())
    if last in _SELDOM_LAST or "." in last:
        return follows.isupper() and last not in ("vs", "Vs")
    if last in ("No", "no") and follows.isdigit():
        return False
    return not follows.islower()
