"""Letter-to-sound rules for English words: what the network is measured against. No voice uses them.

A rule is `left{letters}right  sounds`: at each place of the word the first rule whose letters stand there, between
its left and right contexts, gives its sounds. Contexts are regular expressions (left ones of fixed width), with
V for any vowel letter and C for any consonant letter; `-` is no sound. Vowels get their stress afterwards:
one primary stress by syllable weight and ending, short vowels without it are reduced.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from recipes.tts.g2p.letter_table import RULES, STRESS_BEFORE, STRESS_ON

_CLASSES = {"V": "[aeiouy]", "C": "[bcdfghjklmnpqrstvwxz]"}
_VOWELS = frozenset("AA AE AH AO AW AY EH ER EY IH IY OW OY UH UW".split())
_LONG = frozenset("AW AY EY IY OW OY UW ER AO".split())
# What a short vowel becomes without stress; long vowels keep their sound.
_REDUCED = {"AA": "AH", "AE": "AH", "EH": "AH", "AH": "AH", "UH": "AH"}


class _Rule(NamedTuple):
    pattern: re.Pattern[str]
    length: int
    sounds: tuple[str, ...]


def letters_to_phones(word: str) -> tuple[str, ...]:
    """The phones of a word of letters a-z with at least one vowel letter; never empty, in linear time."""
    sounds = _sounds(word)
    if not any(sound in _VOWELS for sound in sounds):
        sounds.append("AH")
    return _stressed(sounds, word)


def _sounds(word: str) -> list[str]:
    sounds: list[str] = []
    place = 0
    while place < len(word):
        rule = next(rule for rule in _TABLE[word[place]] if rule.pattern.match(word, place))
        # The last letter of one rule and the first of the next are often one doubled consonant (s|sch, c|cz).
        doubled = rule.sounds[:1] == tuple(sounds[-1:]) and rule.sounds[:1] != () and rule.sounds[0] not in _VOWELS
        sounds += rule.sounds[1:] if doubled else rule.sounds
        place += rule.length
    return sounds


def _stressed(sounds: list[str], word: str) -> tuple[str, ...]:
    nuclei = [i for i, sound in enumerate(sounds) if sound in _VOWELS]
    main = nuclei[_main_stress(sounds, nuclei, word)]
    phones: list[str] = []
    for i, sound in enumerate(sounds):
        if sound == "R" and phones[-1:] == ["AH0"]:
            phones[-1] = "ER0"
        else:
            phones.append(_with_stress(sound, i, main, nuclei[-1]) if sound in _VOWELS else sound)
    return tuple(phones)


def _with_stress(sound: str, place: int, main: int, last: int) -> str:
    if place == main:
        return sound + "1"
    if sound in ("AY", "AW", "OY", "EY") or (sound in ("OW", "UW", "AO") and place != last):
        return sound + "2"
    return _REDUCED.get(sound, sound) + "0"


def _main_stress(sounds: list[str], nuclei: list[int], word: str) -> int:
    """Which of the vowels has the primary stress: by the ending, else by the weight of the last but one."""
    count = len(nuclei)
    if count <= 1:
        return 0
    if STRESS_ON.search(word):
        return count - 1
    if before := STRESS_BEFORE.search(word):
        ending = sum(sound in _VOWELS for sound in _sounds(word[before.start() :]))
        return max(0, count - ending - 1)
    if count == 2:
        return 0
    penult = nuclei[-2]
    cluster = nuclei[-1] - penult - 1
    heavy = sounds[penult] in _LONG - {"ER"} or cluster >= 2
    return count - 2 if heavy else count - 3


def _compile(line: str) -> tuple[str, _Rule]:
    context, _, sounds = line.strip().rpartition("  ")
    left, letters, right = re.fullmatch(r"(.*)\{(.*)\}(.*)", context.strip()).groups()  # type: ignore[union-attr]
    for name, members in _CLASSES.items():
        left, right = left.replace(name, members), right.replace(name, members)
    pattern = (f"(?<={left})" if left and left != "^" else left) + letters + (f"(?={right})" if right else "")
    return letters[0], _Rule(re.compile(pattern), len(letters), tuple(s for s in sounds.split() if s != "-"))


def _tabulate() -> dict[str, list[_Rule]]:
    table: dict[str, list[_Rule]] = {}
    for line in RULES.strip().splitlines():
        first, rule = _compile(line)
        table.setdefault(first, []).append(rule)
    return table


_TABLE = _tabulate()
