"""The mini corpus: a hundred sentences spoken by espeak-ng, with exact times. Nothing is downloaded.

The voice speaks the very phones that `EnglishFrontend` gives, so that text, phones and times agree by construction.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import soundfile

from speechkd.align.textgrid import write_textgrid
from speechkd.align.types import SILENCE, Alignment, Interval
from speechkd.audio.espeak import EspeakVoice, SpokenText, Timed
from speechkd.errors import UsageError
from speechkd.text import EnglishFrontend, Tokens

#: Silence before and after every sentence, as a recording has.
MARGIN_S = 0.1

_SENTENCES = Path(__file__).with_name("mini_sentences.txt")


@cache
def mini_sentences() -> tuple[str, ...]:
    """The sentences, in the order of their ids."""
    return tuple(_SENTENCES.read_text(encoding="utf-8").splitlines())


def speak_mini_corpus(folder: Path, n_sentences: int = 100) -> None:
    """Write the first `n_sentences` sentences into the folder, laid out like LJSpeech.

    `metadata.csv` (id|text|text), `wavs/ID.wav` (22,050 Hz, 16 bit) and `TextGrid/ID.TextGrid` (words and ARPAbet
    phones). The same bytes every time. UsageError for a number out of range; ResourceError without espeak-ng.
    """
    sentences = mini_sentences()
    if not 1 <= n_sentences <= len(sentences):
        raise UsageError(f"the mini corpus has {len(sentences)} sentences, not {n_sentences}")
    frontend, voice = EnglishFrontend(), EspeakVoice()
    for name in ("wavs", "TextGrid"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    lines = []
    for number, sentence in enumerate(sentences[:n_sentences], start=1):
        name = f"MINI-{number:03d}"
        spoken = with_margins(speak_tokens(voice, frontend.tokens(sentence)), MARGIN_S)
        pcm = np.rint(spoken.samples * 32768.0).astype(np.int16)
        soundfile.write(folder / "wavs" / f"{name}.wav", pcm, spoken.sample_rate, subtype="PCM_16")
        write_textgrid(folder / "TextGrid" / f"{name}.TextGrid", spoken_alignment(spoken))
        lines.append(f"{name}|{sentence}|{sentence}\n")
    (folder / "metadata.csv").write_text("".join(lines), encoding="utf-8", newline="\n")


def speak_tokens(voice: EspeakVoice, tokens: Tokens) -> SpokenText:
    """Speak the phones of the tokens, with their pauses."""
    pairs = zip(tokens.symbols[1:], tokens.word_index[1:], strict=True)
    pauses = [symbol for symbol, word in pairs if word < 0]
    return voice.speak_words([(word.text, word.phones) for word in tokens.words], pauses)


def with_margins(spoken: SpokenText, margin_s: float) -> SpokenText:
    """The speech with silence before and after it, and its times moved to match."""
    margin = round(margin_s * spoken.sample_rate)
    shift_s = margin / spoken.sample_rate
    phones, words = (
        tuple((start_s + shift_s, end_s + shift_s, label) for start_s, end_s, label in timed)
        for timed in (spoken.phones, spoken.words)
    )
    return SpokenText(np.pad(spoken.samples, margin), spoken.sample_rate, phones, words)


def spoken_alignment(spoken: SpokenText) -> Alignment:
    """The times of the speech as an alignment: the gaps between the phones are silence."""
    phones: list[Interval] = []
    at = 0.0
    for start_s, end_s, phone in spoken.phones:
        if start_s > at:
            phones.append(Interval(at, start_s, SILENCE))
        phones.append(Interval(start_s, end_s, phone))
        at = end_s
    if at < spoken.duration_s:
        phones.append(Interval(at, spoken.duration_s, SILENCE))
    return Alignment(_intervals(spoken.words), tuple(phones), spoken.duration_s)


def _intervals(timed: tuple[Timed, ...]) -> tuple[Interval, ...]:
    return tuple(Interval(start_s, end_s, label) for start_s, end_s, label in timed)
