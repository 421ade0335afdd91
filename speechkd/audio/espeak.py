"""Speech with exact times from espeak-ng: test data and a reference alignment without an aligner.

Binds the library in the wheel `espeakng-loader` (GPL-3, hence optional) through its C interface `speak_lib.h`.
espeak-ng keeps hidden state from one utterance to the next (flutter, phase of the noise); so that the same text
always gives the same bytes, the library is loaded anew for every utterance, which costs about 4 ms.
"""

from __future__ import annotations

import ctypes
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from speechkd.errors import DataError, ResourceError, UsageError, missing_extra

Timed = tuple[float, float, str]

_SYNCHRONOUS = 2
_PHONEME_EVENTS, _PHONEME_IPA = 1, 2
_UTF8, _PHONEME_INPUT = 1, 0x100
_RATE, _PITCH = 1, 3
_POSITION_CHARACTER = 1
_END_OF_LIST, _WORD, _PHONEME = 0, 1, 7
RATE_WPM_RANGE = (80, 450)
PITCH_RANGE = (0, 100)

# ARPAbet to espeak-ng's own names of American English phonemes; vowels without stress that differ stand in full.
_ESPEAK_OF = {
    "AA": "A:", "AE": "a", "AH": "V", "AO": "O:", "AW": "aU", "AY": "aI", "B": "b", "CH": "tS", "D": "d", "DH": "D",
    "EH": "E", "ER": "3:", "EY": "eI", "F": "f", "G": "g", "HH": "h", "IH": "I", "IY": "i:", "JH": "dZ", "K": "k",
    "L": "l", "M": "m", "N": "n", "NG": "N", "OW": "oU", "OY": "OI", "P": "p", "R": "r", "S": "s", "SH": "S",
    "T": "t", "TH": "T", "UH": "U", "UW": "u:", "V": "v", "W": "w", "Y": "j", "Z": "z", "ZH": "Z",
    "AH0": "@", "ER0": "3", "IY0": "i",
}  # fmt: skip
# Sonorants that are reported only when they are over seem to last less than this (20 ms at 22,050 Hz).
_SONORANTS = frozenset(("l", "ɹ", "r", "ɫ", "əl", "m", "n", "ŋ"))
_LATE_SAMPLES = 441
_LATE_SHARE = 0.4
_PUNCTUATION = ".,;:!?\"'()[]-"
_STRESS_OF = {"0": "", "1": "'", "2": ","}

# The callback cannot be told which call it belongs to, and the library is one per process.
_ONE_AT_A_TIME = threading.Lock()


class _EventId(ctypes.Union):
    _fields_ = [("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8)]


class _Event(ctypes.Structure):
    """`espeak_EVENT`. `sample` is the place in the output, `text_position` counts characters from 1."""

    _fields_ = [
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _EventId),
    ]


_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))


@dataclass(frozen=True)
class _Mark:
    """An event that matters: a word's start at `place` in the text, or the start of the phoneme `ipa` ("" a pause)."""

    sample: int
    place: int = -1
    ipa: str = ""


@dataclass
class _SpokenWord:
    """The place of a word in the text and its phones: first sample, end, IPA."""

    place: int
    phones: list[tuple[int, int, str]]

    @property
    def start(self) -> int:
        return self.phones[0][0]

    @property
    def end(self) -> int:
        return self.phones[-1][1]


@dataclass(frozen=True, eq=False)
class SpokenText:
    """Speech and its exact times.

    `samples` (T,) float32; `phones`: (start_s, end_s, phone), `words`: (start_s, end_s, text), in order and without
    overlap; pauses are the gaps between words. The times are espeak-ng's own events, with two readings: the closure of
    a stop belongs to the stop at the start of a word, else to the phone before; and a sonorant that espeak-ng blends
    into the vowel before it, reporting it only when it is over, gets the last 40 % of both.
    """

    samples: NDArray[np.float32]
    sample_rate: int
    phones: tuple[Timed, ...]
    words: tuple[Timed, ...]

    @property
    def duration_s(self) -> float:
        """The length of the speech in seconds."""
        return len(self.samples) / self.sample_rate


class EspeakVoice:
    """One of espeak-ng's voices; the same text always gives the same bytes.

    `rate_wpm` 80 to 450 words per minute, `pitch` 0 to 100. UsageError for an unknown voice or a value outside.
    """

    def __init__(self, name: str = "en-us", rate_wpm: int = 165, pitch: int = 50) -> None:
        for label, value, (low, high) in (("rate_wpm", rate_wpm, RATE_WPM_RANGE), ("pitch", pitch, PITCH_RANGE)):
            if not low <= value <= high:
                raise UsageError(f"{label} is {value}, but espeak-ng takes {low} to {high}")
        self.name = name
        self.rate_wpm = rate_wpm
        self.pitch = pitch

    def speak(self, text: str) -> SpokenText:
        """Speak a text as espeak-ng reads it; the phones are IPA, with their stress marks."""
        if not text.strip():
            raise DataError("there is no text to speak")
        samples, rate, marks = self._synthesise(text, _UTF8)
        spoken = _spoken_words(marks, len(samples))
        phones = tuple((a / rate, b / rate, ipa) for word in spoken for a, b, ipa in word.phones)
        return SpokenText(samples, rate, phones, tuple(_written_words(text, spoken, rate)))

    def speak_words(self, words: Sequence[tuple[str, Sequence[str]]], pauses: Sequence[str]) -> SpokenText:
        """Speak words by given phones: (text, ARPAbet phones with stress) each, and the mark behind each word.

        Marks: "|" for none, or one of `, . ? ! ; : -`. `SpokenText.phones` has exactly the given phones.
        """
        samples, rate, marks = self._synthesise(_phoneme_text(words, pauses), _UTF8 | _PHONEME_INPUT)
        spoken = _spoken_words(marks, len(samples))
        if len(spoken) != len(words):
            raise DataError(f"espeak-ng spoke {len(spoken)} words of {len(words)}", where=" ".join(w for w, _ in words))
        phones: list[Timed] = []
        spans: list[Timed] = []
        for (text, given), word in zip(words, spoken, strict=True):
            spans.append((word.start / rate, word.end / rate, text))
            phones += [(a / rate, b / rate, phone) for a, b, phone in _given_phones(text, tuple(given), word.phones)]
        return SpokenText(samples, rate, tuple(phones), tuple(spans))

    def _synthesise(self, text: str, flags: int) -> tuple[NDArray[np.float32], int, list[_Mark]]:
        chunks: list[bytes] = []
        marks: list[_Mark] = []
        data = text.replace("\0", " ").encode("utf-8", "replace")
        with _ONE_AT_A_TIME, _loaded_library() as (library, data_path):
            receive = _receiver(chunks, marks)
            rate = library.espeak_Initialize(_SYNCHRONOUS, 0, data_path, _PHONEME_EVENTS | _PHONEME_IPA)
            if rate <= 0:
                raise ResourceError("espeak-ng did not start", where=data_path.decode(), why=f"it returned {rate}")
            try:
                self._prepare(library, receive)
                library.espeak_Synth(data, ctypes.c_size_t(len(data) + 1), 0, _POSITION_CHARACTER, 0, flags, None, None)
                library.espeak_Synchronize()
            finally:
                library.espeak_Terminate()
        pcm = np.frombuffer(b"".join(chunks), dtype=np.int16)
        if not len(pcm):
            raise DataError("espeak-ng spoke nothing", where=repr(text[:60]))
        return pcm.astype(np.float32) / 32768.0, rate, marks

    def _prepare(self, library: Any, receive: Any) -> None:
        library.espeak_SetSynthCallback(receive)
        if library.espeak_SetVoiceByName(self.name.encode()) != 0:
            raise UsageError(f"espeak-ng has no voice {self.name!r}", todo="For American English: en-us")
        library.espeak_SetParameter(_RATE, self.rate_wpm, 0)
        library.espeak_SetParameter(_PITCH, self.pitch, 0)
        library.espeak_ng_SetRandSeed(ctypes.c_long(1))


@contextmanager
def _loaded_library() -> Iterator[tuple[Any, bytes]]:
    """A fresh copy of the library and its data folder; unloaded afterwards, and its hidden state with it."""
    try:
        import espeakng_loader
    except ImportError:
        raise missing_extra("espeakng-loader", "demo", "speaking with espeak-ng") from None
    path = espeakng_loader.get_library_path()
    try:
        library = ctypes.CDLL(path)
    except OSError as error:
        raise ResourceError("espeak-ng's library cannot be loaded", where=path, why=str(error)) from None
    try:
        yield library, espeakng_loader.get_data_path().encode()
    finally:
        _unload(library._handle)


def _unload(handle: int) -> None:
    import _ctypes

    free = getattr(_ctypes, "dlclose", None) or getattr(_ctypes, "FreeLibrary", None)
    if free is not None:
        free(handle)


def _receiver(chunks: list[bytes], marks: list[_Mark]) -> Any:
    """The callback that collects samples and events."""

    def receive(samples: Any, count: int, events: Any) -> int:
        if samples and count > 0:
            chunks.append(ctypes.string_at(samples, 2 * count))
        place = 0
        while events[place].type != _END_OF_LIST:
            event = events[place]
            if event.type == _WORD:
                marks.append(_Mark(event.sample, place=event.text_position - 1))
            elif event.type == _PHONEME:
                marks.append(_Mark(event.sample, ipa=event.id.string.decode("utf-8", "ignore")))
            place += 1
        return 0

    return _Callback(receive)


def _spoken_words(marks: Sequence[_Mark], n_samples: int) -> list[_SpokenWord]:
    """The words with their phones; words without a phone are left out, and so are pauses."""
    words: list[_SpokenWord] = []
    ends = [mark.sample for mark in marks[1:]] + [n_samples]
    start: int | None = None
    for mark, end in zip(marks, ends, strict=True):
        if mark.place >= 0:
            last = words[-1].phones[-1] if words and words[-1].phones else None
            words.append(_SpokenWord(mark.place, []))
            # An event at the end of the last word that has no length yet sounds on until this word's first phone.
            sounds_on = last is not None and last[0] == mark.sample
            start = None if sounds_on else mark.sample
        elif mark.ipa and words:
            if start is None and not words[-1].phones and len(words) > 1:
                words[-2].phones[-1] = (words[-2].phones[-1][0], mark.sample, words[-2].phones[-1][2])
            words[-1].phones.append((mark.sample if start is None else start, end, mark.ipa))
            start = None
    words = [word for word in words if word.phones]
    for word in words:
        _close_gaps(word)
    return words


def _close_gaps(word: _SpokenWord) -> None:
    """Let the phones of a word touch, and give late sonorants their share of the phone before them."""
    phones = word.phones
    for i, (start, _, ipa) in enumerate(phones[:-1]):
        phones[i] = (start, phones[i + 1][0], ipa)
    for i in range(1, len(phones)):
        (before, _, vowel), (start, end, ipa) = phones[i - 1], phones[i]
        if ipa in _SONORANTS and end - start < _LATE_SAMPLES:
            start = end - round(_LATE_SHARE * (end - before))
            phones[i - 1], phones[i] = (before, start, vowel), (start, end, ipa)


def _written_words(text: str, spoken: Sequence[_SpokenWord], rate: int) -> Iterator[Timed]:
    """The words as they are written; what espeak-ng speaks as several words of one ("25") is one again."""
    chunks = {place: (match.start(), match[0]) for match in re.finditer(r"\S+", text) for place in range(*match.span())}
    merged: list[tuple[int, int, int, str]] = []
    for word in spoken:
        begin, written = chunks.get(word.place, (word.place, ""))
        first = merged.pop()[1] if merged and merged[-1][0] == begin else word.start
        merged.append((begin, first, word.end, written.strip(_PUNCTUATION)))
    for _, first, end, written in merged:
        yield first / rate, end / rate, written


def _phoneme_text(words: Sequence[tuple[str, Sequence[str]]], pauses: Sequence[str]) -> str:
    """`[[D@ k'at]], [[s'at]].`: clauses in espeak-ng's phonemes with their marks."""
    if not words or len(words) != len(pauses):
        raise DataError(f"{len(words)} words, but {len(pauses)} marks behind them")
    parts: list[str] = ["[["]
    for (_, phones), pause in zip(words, pauses, strict=True):
        # "|" keeps neighbours apart that would otherwise read as one longer phoneme (aI|@ is not aI@).
        parts.append("|".join(map(_espeak_phoneme, phones)))
        parts.append(" " if pause == "|" else f"]]{' -' if pause == '-' else pause} [[")
    return "".join(parts).removesuffix("[[").rstrip() + ("" if pauses[-1] != "|" else "]]")


def _espeak_phoneme(phone: str) -> str:
    base = phone.rstrip("012")
    name = _ESPEAK_OF.get(phone) or _ESPEAK_OF.get(base)
    if name is None:
        raise DataError(f"espeak-ng has no phoneme for {phone!r}")
    return _STRESS_OF[phone[len(base) :] or "0"] + name


def _given_phones(
    text: str, given: tuple[str, ...], timed: Sequence[tuple[int, int, str]]
) -> list[tuple[int, int, str]]:
    """The times under the phones that were asked for; a linking r that espeak-ng adds joins the phone before it."""
    kept: list[tuple[int, int, str]] = []
    for start, end, ipa in timed:
        if ipa in ("ɹ", "r") and kept and given[len(kept) : len(kept) + 1] != ("R",):
            kept[-1] = (kept[-1][0], end, kept[-1][2])
        else:
            kept.append((start, end, ipa))
    if len(kept) != len(given):
        spoken = " ".join(ipa for *_, ipa in timed)
        raise DataError(f"espeak-ng spoke {spoken} for the phones {' '.join(given)}", where=text)
    return [(start, end, phone) for (start, end, _), phone in zip(kept, given, strict=True)]
