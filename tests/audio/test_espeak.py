"""The espeak-ng binding; skipped where its optional package is missing."""

from __future__ import annotations

import builtins
import hashlib
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from speechkd.audio.espeak import EspeakVoice, SpokenText, Timed
from speechkd.errors import DataError, ResourceError, UsageError

pytest.importorskip("espeakng_loader")
TEXT = "The quick brown fox, isn't it? Yes, 25 dogs."
WORDS = [
    ("all", ("AO1", "L")),
    ("of", ("AH1", "V")),
    ("quiet", ("K", "W", "AY1", "AH0", "T")),
    ("men", ("M", "EH1", "N")),
]
ARPABET = (
    "AA1 AE1 AH1 AO1 AW1 AY1 B CH D DH EH1 ER1 EY1 F G HH IH1 IY1 JH K L M N NG OW1 OY1 P R S SH T TH UH1 UW1 V W Y Z "
    "ZH"
).split()


def _digest(spoken: SpokenText) -> str:
    return hashlib.sha256(spoken.samples.tobytes() + repr((spoken.phones, spoken.words)).encode()).hexdigest()


def _assert_in_order(timed: Sequence[Timed], duration_s: float) -> None:
    edges = [edge for start_s, end_s, _ in timed for edge in (start_s, end_s)]
    assert edges == sorted(edges) and edges[0] >= 0 and edges[-1] <= duration_s
    assert all(end_s > start_s for start_s, end_s, _ in timed)


def test_words_phones_and_times() -> None:
    spoken = EspeakVoice().speak(TEXT)
    assert spoken.sample_rate == 22_050 and spoken.samples.dtype == np.float32
    assert 2 < spoken.duration_s < 6 and 0.1 < np.abs(spoken.samples).max() <= 1
    assert [word for *_, word in spoken.words] == ["The", "quick", "brown", "fox", "isn't", "it", "Yes", "25", "dogs"]
    assert [ipa.strip("ˈˌ") for *_, ipa in spoken.phones[:6]] == ["ð", "ə", "k", "w", "ɪ", "k"]
    _assert_in_order(spoken.phones, spoken.duration_s)
    _assert_in_order(spoken.words, spoken.duration_s)


def test_times_are_where_the_sound_is() -> None:
    """The pause after "fox," is quiet, the vowels are loud, and the hiss of "s" crosses zero most often."""
    spoken = EspeakVoice().speak("fox, dogs see")

    def cut(timed: Timed) -> Any:
        return spoken.samples[int(timed[0] * spoken.sample_rate) : int(timed[1] * spoken.sample_rate)]

    phones = {ipa.strip("ˈˌ"): cut((start_s, end_s, ipa)) for start_s, end_s, ipa in spoken.phones}
    pause = cut((spoken.words[0][1] + 0.02, spoken.words[1][0] - 0.01, ""))
    assert np.abs(pause).max() < 0.02 and np.abs(phones["ɑː"]).max() > 0.1
    crossings = {ipa: float(np.mean(np.diff(np.signbit(part)))) for ipa, part in phones.items()}
    assert crossings["s"] > 3 * crossings["ɑː"] and crossings["s"] > 3 * crossings["iː"]


def test_same_text_same_bytes_whatever_was_said_before() -> None:
    voice = EspeakVoice()
    first = _digest(voice.speak(TEXT))
    voice.speak("Something else.")
    EspeakVoice("de", rate_wpm=250, pitch=90).speak("Other voice")
    assert _digest(voice.speak(TEXT)) == first


def test_same_bytes_in_threads_and_in_another_process() -> None:
    with ThreadPoolExecutor(4) as pool:
        digests = set(pool.map(lambda _: _digest(EspeakVoice().speak(TEXT)), range(8)))
    code = (
        "import hashlib; from speechkd.audio.espeak import EspeakVoice; "
        f"print(hashlib.sha256(EspeakVoice().speak({TEXT!r}).samples.tobytes()).hexdigest())"
    )
    other = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.strip()
    assert len(digests) == 1
    assert other == hashlib.sha256(EspeakVoice().speak(TEXT).samples.tobytes()).hexdigest()


def test_given_phones_are_spoken_one_to_one() -> None:
    spoken = EspeakVoice().speak_words(WORDS, ["|", "|", ",", "."])
    assert [phone for *_, phone in spoken.phones] == [phone for _, phones in WORDS for phone in phones]
    assert [word for *_, word in spoken.words] == [word for word, _ in WORDS]
    _assert_in_order(spoken.phones, spoken.duration_s)
    # Words touch, but for the comma.
    gaps = [b[0] - a[1] for a, b in zip(spoken.words, spoken.words[1:], strict=False)]
    assert gaps[0] == pytest.approx(0, abs=0.06) and gaps[2] > 0.1


@pytest.mark.parametrize("phone", ARPABET)
def test_every_phone_can_be_spoken(phone: str) -> None:
    phones = ("AH0", phone, "AH0") if not phone[-1].isdigit() else ("S", phone, "T")
    spoken = EspeakVoice().speak_words([("word", phones), ("end", ("EH1", "N", "D"))], ["|", "."])
    assert [label for *_, label in spoken.phones] == [*phones, "EH1", "N", "D"]


def test_rate_and_pitch() -> None:
    slow, fast = EspeakVoice(rate_wpm=100).speak(TEXT), EspeakVoice(rate_wpm=300).speak(TEXT)
    assert slow.duration_s > 2 * fast.duration_s
    assert _digest(EspeakVoice(pitch=10).speak(TEXT)) != _digest(EspeakVoice(pitch=90).speak(TEXT))


@pytest.mark.parametrize("options", [{"rate_wpm": 10}, {"rate_wpm": 1000}, {"pitch": -1}, {"pitch": 101}])
def test_values_out_of_range(options: dict[str, int]) -> None:
    with pytest.raises(UsageError, match="espeak-ng takes"):
        EspeakVoice(**options)  # type: ignore[arg-type]


def test_what_cannot_be_spoken() -> None:
    with pytest.raises(UsageError, match="no voice 'xx-none'"):
        EspeakVoice("xx-none").speak("hello")
    with pytest.raises(DataError, match="no text"):
        EspeakVoice().speak(" ")
    with pytest.raises(DataError, match="'QQ'"):
        EspeakVoice().speak_words([("q", ("QQ",))], ["."])
    with pytest.raises(DataError, match="1 words, but 2 marks"):
        EspeakVoice().speak_words(WORDS[:1], ["|", "."])


def test_missing_package(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def refuse(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "espeakng_loader":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(ResourceError, match=r"espeakng-loader.*speechkd\[demo\]"):
        EspeakVoice().speak("hello")
