"""What is wrong with a transcript as text, whatever its language."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache

_MAX_CHARACTERS = 2000

# Control and format characters; those that shape emoji or join letters are left to the text frontend.
_CONTROL = re.compile(
    "[\x00-\x08\x0a-\x1f\x7f-\x9f\u200b\u200e\u200f\u202a-\u202e\u2028\u2029\u2066-\u2069\ufeff\ufffd\ud800-\udfff]"
)
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
# Signs that every text frontend reads or passes over; a table of its own keeps this module free of languages.
_PLAIN = frozenset(" !\"'(),-.:;?%&+=/@$£€¥°§½¼¾–—‐‑‒―‘’‚“”„«»‹›…¿¡[]·•′″×÷±²³\u00a0\u202f\u00ad\u200c\u200d\ufe0f\t")
_EMOJI = re.compile("[\U0001f000-\U0001faff\u2600-\u27bf\u2b00-\u2bff\U0001f1e6-\U0001f1ff\u20e3]")


@dataclass(frozen=True)
class TextFault:
    """A fault of a text: `at` the character (from 0) it starts at; `usable` when it can be spoken all the same."""

    kind: str
    what: str
    todo: str
    usable: bool = True
    at: int = 0


def control_fault(text: str, allowed: str = "") -> TextFault | None:
    """The first character that no transcript may hold; `allowed` ones may stand."""
    for found in _CONTROL.finditer(text):
        if found.group() not in allowed:
            what = f"contains the character U+{ord(found.group()):04X}"
            return TextFault("control_character", what, "Remove it.", usable=False, at=found.start())
    return None


def spoken_faults(text: str) -> Iterator[TextFault]:
    """What is wrong with one stripped text by itself."""
    if not text:
        yield TextFault("empty_transcript", "has no text", "Write what is said.", usable=False)
    elif len(text) > _MAX_CHARACTERS:
        yield TextFault("long_transcript", f"has {len(text)} characters", "Cut the recording up.", usable=False)
    elif not any(character.isalnum() for character in text):
        yield TextFault("no_words", "has nothing to speak, only signs", "Write what is said.", usable=False)
    elif not unicodedata.is_normalized("NFC", text):
        what = "has letters and accents as separate characters (not NFC)"
        yield TextFault("not_nfc", what, "Normalise the text to NFC.")
    if "\t" in text:
        yield TextFault("tab", "has a tab inside", "Write a space.", at=text.index("\t"))


def main_script(texts: Iterable[str]) -> str:
    """The script that most letters are of ("LATIN", "CYRILLIC", …); "" without letters."""
    count = Counter(character for text in texts for character in text)
    scripts: Counter[str] = Counter()
    for character, number in count.items():
        scripts[_script(character)] += number
    del scripts[""]
    return min(scripts, key=lambda script: (-scripts[script], script), default="")


def sign_faults(text: str, script: str, normalised: bool) -> Iterator[TextFault]:
    """Characters of `text` that its corpus, written in `script`, should not have. Each character counts once."""
    strange = sorted(set(text) - _usual(script))
    if normalised and any(character.isdigit() for character in text):
        yield TextFault("digits", "has digits, though the texts are normalised", "Write numbers as words.")
    if not strange:
        return
    foreign = [character for character in strange if _script(character) not in ("", script)]
    if foreign:
        yield _foreign(text, script, foreign)
    signs = [each for each in strange if not _script(each) and not each.isdigit() and each not in _PLAIN]
    emoji = [each for each in signs if _EMOJI.match(each)]
    if emoji:
        yield TextFault("emoji", f"has {_listed(emoji)}", "Remove it or write what is said.")
    unknown = [each for each in signs if each not in emoji and unicodedata.category(each) != "Mn"]
    if unknown:
        yield TextFault("unknown_character", f"has {_listed(unknown)}", "Write what is said.")


def _foreign(text: str, script: str, foreign: list[str]) -> TextFault:
    for word in _WORD.findall(text):
        scripts = {_script(character) for character in word} - {""}
        if len(scripts) > 1:
            odd = [character for character in word if _script(character) not in ("", script)]
            what = f"mixes {' and '.join(sorted(scripts))} letters in one word: {_listed(odd)}"
            return TextFault("mixed_scripts", what, "Type the word again.")
    if any(unicodedata.bidirectional(character) in ("R", "AL") for character in foreign):
        return TextFault("right_to_left", f"has right-to-left letters: {_listed(foreign)}", "Write how it is said.")
    return TextFault(
        "foreign_script", f"has letters that are not {script}: {_listed(foreign)}", "Write how it is said."
    )


@cache
def _usual(script: str) -> frozenset[str]:
    """The characters up to U+024F and the signs that need no look: most texts have no other."""
    letters = (chr(code) for code in range(0x250))
    return _PLAIN | {each for each in letters if each.isdigit() or (each.isalpha() and _script(each) == script)}


@cache
def _script(character: str) -> str:
    """The script of a letter, from the first word of its name; "" for anything else."""
    if not unicodedata.category(character).startswith("L"):
        return ""
    name = unicodedata.name(character, "").split(" ")
    kana = {"HIRAGANA", "KATAKANA", "CJK", "KATAKANA-HIRAGANA"}
    if name[0] in kana:  # Japanese writes them side by side
        return "CJK"
    return {"FEMININE": "LATIN", "MASCULINE": "LATIN", "FULLWIDTH": "LATIN", "MICRO": "GREEK"}.get(name[0], name[0])


def _listed(characters: list[str]) -> str:
    shown = ", ".join(f"{character} (U+{ord(character):04X})" for character in characters[:5])
    return shown if len(characters) <= 5 else f"{shown} …"
