"""Words built from known words: plurals, pasts, -ing, -ly, un-, compounds, each with the sounds it takes.

Not -y, -er, -able, re- and de-, which mostly come from names and Latin, nor compounds with a part of fewer than five
letters: there the network that says unknown words is right more often, on dictionary words hidden from both.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

Phones = tuple[str, ...]
Lookup = Callable[[str], Phones | None]

_SIBILANTS = frozenset("S Z SH ZH CH JH".split())
_VOICELESS = frozenset("P T K F TH S SH CH".split())
# Longer words are not taken apart: the search for compounds is quadratic.
MAX_LETTERS = 40
_MAX_DEPTH = 3
_DOUBLING = frozenset("ed ing in er est y able ish ist".split())
_MIN_STEM = 3
_MIN_PART = 5


def add_plural(stem: Phones) -> Phones:
    """The -s of plural, possessive and third person: IH0 Z after a hiss, S after a voiceless sound, else Z."""
    if stem[-1] in _SIBILANTS:
        return (*stem, "IH0", "Z")
    return (*stem, "S" if stem[-1] in _VOICELESS else "Z")


def add_past(stem: Phones) -> Phones:
    """The -ed of the past: IH0 D after T and D, T after a voiceless sound, else D."""
    if stem[-1] in ("T", "D"):
        return (*stem, "IH0", "D")
    return (*stem, "T" if stem[-1] in _VOICELESS else "D")


def _add_bly(stem: Phones) -> Phones:
    """-able to -ably, -ical to -ically: the L moves to the new syllable."""
    return _add_ly(stem[:-2] if stem[-2:] == ("AH0", "L") else stem)


def _add_ly(stem: Phones) -> Phones:
    return (*(stem[:-1] if stem[-1] == "L" else stem), "L", "IY0")


def _adder(phones: str) -> Callable[[Phones], Phones]:
    ending = tuple(phones.split())
    return lambda stem: (*stem, *ending)


# What may follow an apostrophe, also behind words that no lexicon knows.
CLITICS: dict[str, Callable[[Phones], Phones]] = {
    "s": add_plural,
    "d": add_past,
    "ll": _adder("AH0 L"),
    "ve": _adder("AH0 V"),
    "re": _adder("ER0"),
    "m": _adder("M"),
}
# suffix, what stands in the stem's spelling in its place, the sounds. Before a suffix that begins with a vowel
# a doubled last consonant may be single in the stem.
_INFLECTIONS: tuple[tuple[str, tuple[str, ...], Callable[[Phones], Phones]], ...] = (
    *((f"'{ending}", ("",), add) for ending, add in CLITICS.items()),
    ("ies", ("y", "ie"), add_plural),
    ("es", ("", "e"), add_plural),
    ("s", ("",), add_plural),
    ("ied", ("y",), add_past),
    ("ed", ("", "e"), add_past),
    ("ing", ("", "e"), _adder("IH0 NG")),
)
_DERIVATIONS: tuple[tuple[str, tuple[str, ...], Callable[[Phones], Phones]], ...] = (
    ("ically", ("ic", "ical"), _add_bly),
    ("bly", ("ble",), _add_bly),
    ("ily", ("y",), _add_ly),
    ("ly", ("",), _add_ly),
    ("iness", ("y",), _adder("N AH0 S")),
    ("ness", ("",), _adder("N AH0 S")),
    ("iless", ("y",), _adder("L AH0 S")),
    ("less", ("",), _adder("L AH0 S")),
    ("iful", ("y",), _adder("F AH0 L")),
    ("ful", ("",), _adder("F AH0 L")),
    ("iment", ("y",), _adder("M AH0 N T")),
    ("ment", ("",), _adder("M AH0 N T")),
    ("ship", ("",), _adder("SH IH2 P")),
    ("hood", ("",), _adder("HH UH2 D")),
    ("like", ("",), _adder("L AY2 K")),
    ("wise", ("",), _adder("W AY2 Z")),
    ("ward", ("",), _adder("W ER0 D")),
    ("ization", ("ize", "e", ""), lambda stem: _ization(stem)),
    ("ism", ("", "e"), _adder("IH2 Z AH0 M")),
    ("ist", ("", "e"), _adder("IH0 S T")),
    ("ish", ("", "e"), _adder("IH0 SH")),
    ("iest", ("y",), _adder("AH0 S T")),
    ("est", ("", "e"), _adder("AH0 S T")),
    ("ier", ("y",), _adder("ER0")),
)


def _ization(stem: Phones) -> Phones:
    if stem[-1] == "Z" and stem[-2][:2] == "AY":
        stem = stem[:-2]
    return (*(phone.replace("1", "2") for phone in stem), "IH0", "Z", "EY1", "SH", "AH0", "N")


# prefix, fewest letters of the rest, sounds. The rest keeps its stress.
_PREFIXES: tuple[tuple[str, int, Phones], ...] = tuple(
    (prefix, int(rest), tuple(phones.split()))
    for prefix, rest, phones in (
        line.split(" ", 2)
        for line in """\
counter 3 K AW2 N T ER0
electro 3 IH0 L EH2 K T R OW0
hyper 3 HH AY2 P ER0
inter 4 IH2 N T ER0
micro 3 M AY2 K R OW0
multi 3 M AH2 L T IY0
neuro 4 N UH2 R OW0
crypto 4 K R IH2 P T OW0
over 3 OW2 V ER0
photo 4 F OW2 T OW0
psycho 4 S AY2 K OW0
pseudo 4 S UW2 D OW0
quasi 4 K W AA2 Z IY0
super 3 S UW2 P ER0
trans 4 T R AE2 N Z
ultra 3 AH2 L T R AH0
under 3 AH2 N D ER0
anti 4 AE2 N T IY0
auto 4 AO2 T OW0
cyber 3 S AY2 B ER0
fore 4 F AO2 R
mega 4 M EH2 G AH0
giga 4 G IH2 G AH0
kilo 4 K IH2 L AH0
meta 4 M EH2 T AH0
mini 4 M IH2 N IY0
mono 4 M AA2 N OW0
nano 4 N AE2 N OW0
poly 4 P AA2 L IY0
post 4 P OW2 S T
semi 4 S EH2 M IY0
tele 4 T EH2 L AH0
bio 4 B AY2 OW0
dis 4 D IH0 S
eco 4 IY2 K OW0
geo 4 JH IY2 OW0
mid 4 M IH2 D
mis 4 M IH0 S
neo 4 N IY2 OW0
non 4 N AA2 N
out 4 AW2 T
pre 4 P R IY2
pro 5 P R OW2
sub 4 S AH2 B
un 4 AH2 N""".splitlines()
    )
)


def derive(word: str, lookup: Lookup, depth: int = 0) -> Phones | None:
    """The sounds of a lower-case word that is built from words that `lookup` knows; None when it is not."""
    if depth > _MAX_DEPTH or len(word) > MAX_LETTERS:
        return None
    for attempt in (_inflected, _prefixed, _derived, _compound):
        if phones := attempt(word, lookup, depth):
            return phones
    return None


def _inflected(word: str, lookup: Lookup, depth: int) -> Phones | None:
    return _suffixed(word, lookup, depth, _INFLECTIONS)


def _derived(word: str, lookup: Lookup, depth: int) -> Phones | None:
    return _suffixed(word, lookup, depth, _DERIVATIONS)


def _suffixed(
    word: str,
    lookup: Lookup,
    depth: int,
    table: tuple[tuple[str, tuple[str, ...], Callable[[Phones], Phones]], ...],
) -> Phones | None:
    for suffix, replacements, add in table:
        if not word.endswith(suffix) or (suffix == "s" and word.endswith("ss")):
            continue
        stems = [s for s in _stems(word[: -len(suffix)], suffix, replacements) if len(s) >= _MIN_STEM]
        # All listed stems before any that would have to be built: phonemize(r) before phone-miz(er).
        listed = (lookup(stem) for stem in stems)
        built = (derive(stem, lookup, depth + 1) for stem in reversed(stems))
        if phones := next(filter(None, itertools.chain(listed, built)), None):
            return add(phones)
    return None


def _stems(start: str, suffix: str, replacements: tuple[str, ...]) -> Iterator[str]:
    doubled = len(start) > _MIN_STEM and start[-1] == start[-2] and start[-1] not in "aeiousl"
    if suffix in _DOUBLING and doubled:
        yield start[:-1]
    for replacement in replacements:
        yield start + replacement


def _prefixed(word: str, lookup: Lookup, depth: int) -> Phones | None:
    for prefix, fewest, sounds in _PREFIXES:
        rest = word[len(prefix) :]
        if (
            word.startswith(prefix)
            and len(rest) >= fewest
            and (phones := lookup(rest) or _inflected_rest(rest, lookup))
        ):
            return (*sounds, *phones)
    return None


def _inflected_rest(rest: str, lookup: Lookup) -> Phones | None:
    return _suffixed(rest, lookup, _MAX_DEPTH, _INFLECTIONS) or _suffixed(rest, lookup, _MAX_DEPTH, _DERIVATIONS)


def _compound(word: str, lookup: Lookup, depth: int) -> Phones | None:
    """Two known words of five letters or more side by side; the first keeps the main stress."""
    if "'" in word:
        return None
    # The most even cut first: it is the least likely to be an accident.
    for cut in sorted(range(_MIN_PART, len(word) - _MIN_PART + 1), key=lambda cut: (abs(2 * cut - len(word)), -cut)):
        first, second = lookup(word[:cut]), None
        if first:
            second = lookup(word[cut:]) or _suffixed(word[cut:], lookup, _MAX_DEPTH, _INFLECTIONS)
        if first and second:
            return (*first, *(phone.replace("1", "2") for phone in second))
    return None
