"""Which boundaries of two alignments belong together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from speechkd.align.matching import without_stress
from speechkd.align.types import SILENCE, Alignment, Interval

#: A silence shorter than this is the closure of a stop as often as a pause.
MIN_PAUSE_S = 0.1

_CLASSES = {
    "vowel": "AA AE AH AO AW AY EH ER EY IH IY OW OY UH UW",
    "stop": "B D G K P T",
    "fricative": "DH F HH S SH TH V Z ZH",
    "affricate": "CH JH",
    "nasal": "M N NG",
    "liquid/glide": "L R W Y",
}
_CLASS_OF = {phone: name for name, phones in _CLASSES.items() for phone in phones.split()}


def phone_class(phone: str) -> str:
    """vowel, stop, fricative, affricate, nasal, liquid/glide, silence, or other for what is not ARPAbet."""
    return "silence" if phone == SILENCE else _CLASS_OF.get(without_stress(phone), "other")


@dataclass(frozen=True)
class PhoneBoundary:
    """Where `left` ends and `right` begins in the reference ("" for silence), and how far off the other is."""

    left: str
    right: str
    error_s: float


def matched_words(first: Alignment, second: Alignment) -> list[tuple[Interval, Interval]]:
    """The words that both have, by their text, case apart."""
    places = _matched(*[[word.label.casefold() for word in each.words] for each in (first, second)])
    return [(first.words[a], second.words[b]) for a, b in places.items()]


def shared_phones(first: Alignment, second: Alignment) -> dict[int, int]:
    """Places in `first.phones` and `second.phones` of the spoken phones that both have, stress apart."""
    spoken = [[place for place, phone in enumerate(each.phones) if phone.label != SILENCE] for each in (first, second)]
    labels = [
        [without_stress(each.phones[place].label) for place in places]
        for each, places in zip((first, second), spoken, strict=True)
    ]
    return {spoken[0][a]: spoken[1][b] for a, b in _matched(*labels).items()}


def _matched(first: Sequence[str], second: Sequence[str]) -> dict[int, int]:
    blocks = SequenceMatcher(None, first, second, autojunk=False).get_matching_blocks()
    return {block.a + step: block.b + step for block in blocks for step in range(block.size)}


def phone_boundaries(reference: Alignment, other: Alignment, shared: Mapping[int, int]) -> list[PhoneBoundary]:
    """The starts of the shared phones, and their ends where the next phone does not begin there in both."""
    found: list[PhoneBoundary] = []
    for a, b in shared.items():
        start, end = reference.phones[a], other.phones[b]
        found.append(PhoneBoundary(_label(reference, a - 1), start.label, end.start_s - start.start_s))
        if shared.get(a + 1) != b + 1:
            found.append(PhoneBoundary(start.label, _label(reference, a + 1), end.end_s - start.end_s))
    return found


def _label(alignment: Alignment, place: int) -> str:
    return alignment.phones[place].label if 0 <= place < len(alignment.phones) else SILENCE


def pauses(
    reference: Alignment, other: Alignment, shared: Mapping[int, int]
) -> list[tuple[float | None, float | None]]:
    """Per pause between two phones of the reference that both have: errors of its start and end; None twice if absent.

    At the edges of the recording a pause has one edge only, the other is None.
    """
    found: list[tuple[float | None, float | None]] = []
    last = len(reference.phones) - 1
    for place, phone in enumerate(reference.phones):
        if phone.label != SILENCE or round(phone.duration_s, 6) < MIN_PAUSE_S:
            continue
        before, after = shared.get(place - 1), shared.get(place + 1)
        if (before is None and place > 0) or (after is None and place < last):
            continue
        silent = other.phones[0 if before is None else before + 1 : after]
        if not silent or any(each.label != SILENCE for each in silent):
            found.append((None, None))
            continue
        start_s = None if before is None else silent[0].start_s - phone.start_s
        end_s = None if after is None else silent[-1].end_s - phone.end_s
        found.append((start_s, end_s))
    return found
