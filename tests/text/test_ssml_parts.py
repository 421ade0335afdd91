"""The parts that read SSML: against other ways to compute the same, and with documents made by chance."""

from __future__ import annotations

import datetime
import difflib
import math
import random
import time
from collections.abc import Callable
from functools import partial
from typing import Any
from xml.sax.saxutils import escape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speechkd.errors import DataError
from speechkd.text import PHONES, EnglishFrontend, Tokens
from speechkd.text.script import lines_of_ssml, lines_of_text
from speechkd.text.ssml import say_as, values
from speechkd.text.ssml.ipa import SYMBOLS, UnknownSymbol, words_of_ipa
from speechkd.text.ssml.place import Place
from speechkd.text.ssml.together import align_words

FRONTEND = EnglishFrontend()
HERE = Place(3, 7)

# One usual symbol for each phone, written down apart from the table that is tested.
IPA = dict(
    pair.split("=")
    for pair in (
        "B=b CH=tʃ D=d DH=ð F=f G=ɡ HH=h JH=dʒ K=k L=l M=m N=n NG=ŋ P=p R=ɹ S=s SH=ʃ T=t TH=θ V=v W=w Y=j Z=z ZH=ʒ "
        "AA=ɑ AE=æ AH=ʌ AO=ɔ AW=aʊ AY=aɪ EH=ɛ ER=ɝ EY=eɪ IH=ɪ IY=i OW=oʊ OY=ɔɪ UH=ʊ UW=u"
    ).split()
)
VOWELS = [phone for phone in PHONES if phone[-1] in "012"]


def outcome(call: Callable[[], Any]) -> Any:
    """What a call returns, or the one kind of error that it may raise."""
    try:
        return call()
    except DataError as error:
        return error


def ipa_of(phones: list[str]) -> str:
    """The phones in IPA; the dots keep apart what would be one symbol together, such as t and ʃ."""
    marks = {"1": "ˈ", "2": "ˌ"}
    return ".".join(marks.get(phone[-1], "") + IPA[phone.rstrip("012")] for phone in phones)


@given(st.lists(st.sampled_from(PHONES), max_size=8), st.sampled_from(VOWELS))
@settings(deadline=None)
def test_all_69_phones_can_be_written(phones: list[str], vowel: str) -> None:
    word = (*phones, vowel[:-1] + "1")
    assert words_of_ipa(ipa_of(list(word))) == [word]
    assert len(PHONES) == 69 and {phone.rstrip("012") for phone in PHONES} == set(IPA)


def test_symbols_stand_for_phones() -> None:
    known = {phone.rstrip("012") for phone in PHONES}
    assert all(set(phones) <= known for phones in SYMBOLS.values())
    assert set().union(*SYMBOLS.values()) == known


@pytest.mark.parametrize(
    ("ipa", "phones"),
    [
        ("wɪtʃ", "W IH1 CH"), ("wɪt.ʃɪp", "W IH1 T SH IH0 P"), ("ˈhɔt ʃɪp", "HH AO1 T | SH IH1 P"), ("ðə", "DH AH0"),
        ("əˈbʌv", "AH0 B AH1 V"), ("ˌʌnˌdɪd", "AH1 N D IH2 D"), ("ˈlɪtl̩", "L IH1 T AH0 L"), ("ˈkɑɹ", "K AA1 R"),
        ("bɜːd", "B ER1 D"), ("ˈbʌtɚ", "B AH1 T ER0"), ("ʍaɪ", "HH W AY1"), ("pʰɪt̚", "P IH1 T"), ("s", "S"),
        ("ˈstɹɛŋθs", "S T R EH1 NG TH S"), ("nɪə", "N IH1 R"),
    ],
)  # fmt: skip
def test_words_in_ipa(ipa: str, phones: str) -> None:
    assert " | ".join(" ".join(word) for word in words_of_ipa(ipa)) == phones


def test_an_unknown_symbol_is_told_with_its_place() -> None:
    with pytest.raises(UnknownSymbol) as caught:
        words_of_ipa("ˈt͡ʃa ˈyx")
    assert (caught.value.symbol, caught.value.place) == ("y", 7)


@given(st.floats(-12, 12).map(lambda st_: round(st_, 2)))
@settings(deadline=None)
def test_pitch_in_percent_and_semitones_agree(semitones: float) -> None:
    percent = (2 ** (semitones / 12) - 1) * 100
    assert values.pitch(f"{semitones:+.2f}st", HERE) == pytest.approx(semitones)
    near = values.pitch(f"{percent:+.6f}%", HERE) if abs(semitones) < 12 else semitones
    assert near == pytest.approx(semitones, abs=1e-4)


@given(st.floats(-40, 12).map(lambda db: round(db, 2)))
@settings(deadline=None)
def test_decibels(db: float) -> None:
    assert 20 * math.log10(values.volume(f"{db:+.2f}dB", HERE)) == pytest.approx(db, abs=1e-9)


@given(st.text(max_size=12))
@settings(max_examples=80, deadline=None)
def test_any_value_is_a_number_or_an_error_with_its_place(text: str) -> None:
    for read in (values.rate, values.pitch, values.volume, values.seconds):
        value = outcome(partial(read, text, HERE))
        assert value.where == "line 3, column 7" if isinstance(value, DataError) else math.isfinite(value)
    for kind in say_as.KINDS:
        said = outcome(partial(say_as.say_as, kind, text, None, HERE))
        assert said.where == "line 3, column 7" if isinstance(said, DataError) else said


@given(st.integers(-(10**14), 10**14))
@settings(deadline=None)
def test_cardinals_are_those_of_num2words(number: int) -> None:
    from num2words import num2words

    expected = num2words(number, lang="en").replace(",", "").replace(" and ", " ").replace("-", " ")
    assert say_as.say_as("cardinal", f"{number:,}", None, HERE) == expected


@given(st.dates())
@settings(deadline=None)
def test_dates_in_all_orders_are_the_same(date: datetime.date) -> None:
    text = {"y": f"{date.year:04}", "m": str(date.month), "d": str(date.day)}
    american = {say_as.say_as("date", "/".join(text[part] for part in order), order, HERE) for order in ("mdy", "ymd")}
    british = {say_as.say_as("date", "-".join(text[part] for part in order), order, HERE) for order in ("dmy", "ydm")}
    assert len(american) == len(british) == 1
    assert date.strftime("%B").lower() in american.pop() and british.pop().startswith("the ")


@given(st.lists(st.sampled_from("abc"), max_size=30), st.lists(st.sampled_from("abc"), max_size=30))
@settings(deadline=None)
def test_words_side_by_side(apart: list[str], together: list[str]) -> None:
    found = align_words(apart, together)
    assert len(found.apart_of) == len(together) and len(found.together_of) == len(apart) + 1
    for places, count in ((found.apart_of, len(apart)), (found.together_of, len(together) + 1)):
        assert list(places) == sorted(places) and all(-1 <= place < max(count, 1) for place in places)
    if apart == together:
        assert list(found.apart_of) == list(range(len(apart)))


def test_words_side_by_side_as_difflib_does() -> None:
    """Where few words differ, equal words belong together, as in the longest matching blocks."""
    chance = random.Random(3)
    for _ in range(100):
        apart = [f"w{number}" for number in range(60)]
        together = list(apart)
        for place in sorted(chance.sample(range(2, 58, 6), 4), reverse=True):
            together[place : place + chance.randint(0, 2)] = ["new"] * chance.randint(0, 3)
        found = align_words(apart, together)
        for i, j, size in difflib.SequenceMatcher(None, apart, together, autojunk=False).get_matching_blocks():
            assert [found.apart_of[j + k] for k in range(size)] == list(range(i, i + size))
            assert [found.together_of[i + k] for k in range(size)] == list(range(j, j + size))


TEXTS = [
    'Dr. Smith paid $3.50 for 5 km on May 5, 2020. He left at 5 p.m. sharp, "happy" as ever!',
    "They read the record in 1984; now they record what they read. Did it rain 10% more in the U.S. than in Chapter IV?",
    "Mr. O'Neill's e-mail is jo@example.org (see www.example.org). NASA and the FBI came... and went.",
]
OPENING = ["<emphasis level='strong'>", "<prosody rate='slow'>", "<lang xml:lang='en'>", "<emphasis>"]


@given(st.sampled_from(TEXTS), st.data())
@settings(max_examples=60, deadline=None)
def test_a_text_is_read_the_same_with_elements_in_it(text: str, data: st.DataObject) -> None:
    """Elements around any words and marks between any change neither words nor sounds nor where sentences end."""
    words = text.split()
    begins = data.draw(st.lists(st.integers(0, len(words) - 1), max_size=4, unique=True).map(sorted))
    parts = list(map(escape, words))
    for begin, limit in zip(begins, [*begins[1:], len(words)], strict=False):
        last = data.draw(st.integers(begin, limit - 1))
        opening = data.draw(st.sampled_from(OPENING))
        parts[begin] = opening + parts[begin]
        parts[last] += f"</{opening[1:].split()[0].rstrip('>')}>"
    for place in data.draw(st.lists(st.integers(0, len(words) - 1), max_size=3)):
        parts[place] = f"<mark name='{place}'/>" + parts[place]
    document = f"<speak>{' '.join(parts)}</speak>"
    plain, marked = list(lines_of_text(text, FRONTEND)), list(lines_of_ssml(document, FRONTEND))
    assert [line.tokens for line in marked] == [line.tokens for line in plain]
    assert [line.pause_s for line in marked] == [line.pause_s for line in plain]


def test_each_word_has_the_prosody_around_it() -> None:
    words = "the quick brown fox jumps over the lazy dog".split()
    for place in range(len(words)):
        parts = [*words]
        parts[place] = f"<prosody pitch='+3st'>{words[place]}</prosody>"
        (line,) = lines_of_ssml(f"<speak>{' '.join(parts)}</speak>", FRONTEND)
        assert [each.pitch for each in line.prosody] == [3.0 * (i == place) for i in range(len(words))]


PIECES = st.sampled_from(
    ["<speak>", "</speak>", "<s>", "</s>", "<p>", "</p>", "hello ", "5 km. ", "&amp;", "&#x20;", "&x;", "<break/>", "]]>",
     "<break time='1s'/>", "<mark name='a'/>", "<emphasis>", "</emphasis>", "<prosody rate='2'>", "</prosody>", "<![CDATA[",
     "[[K AE1 T]]", "[[", "<phoneme ph='kæt'/>", "<sub alias='x y'>z</sub>", "<!--", "-->", "<?a?>", "<!DOCTYPE a [", "\x00",
     "<say-as interpret-as='characters'>a-1</say-as>", "\ud800", "<", ">", "'", "é", "<voice name='v'>", "</voice>"]
)  # fmt: skip


@given(st.lists(PIECES, max_size=14).map("".join), st.booleans())
@settings(max_examples=400, deadline=None)
def test_any_document_gives_lines_or_an_error(inside: str, whole: bool) -> None:
    document = f"<speak>{inside}</speak>" if whole else inside
    lines = outcome(lambda: list(lines_of_ssml(document, FRONTEND)))
    assert lines
    for line in [] if isinstance(lines, DataError) else lines:
        assert len(line.prosody) in (0, len(line.tokens.words))
        assert all(0 <= place <= len(line.tokens.words) for _, place in line.marks)


def test_bytes_by_chance() -> None:
    chance = random.Random(11)
    whole = "<speak><p>Hello <emphasis level='strong'>you</emphasis>, <break time='1s'/>&#233;t&amp;.</p></speak>"
    for _ in range(400):
        chars = list(whole)
        for _ in range(chance.randint(1, 4)):
            place = chance.randrange(len(chars))
            chars[place : place + chance.randint(0, 3)] = chr(
                chance.choice([chance.randrange(128), chance.randrange(0x110000)])
            )
        read = outcome(partial(lines_of_ssml, "".join(chars), FRONTEND))
        assert not isinstance(read, DataError) or str(read.where).startswith("line ")


@pytest.mark.parametrize(
    ("unit", "end"),
    [("go ", ""), ("<emphasis>go</emphasis> ", ""), ("<s>go</s>", ""), ("go <mark name='a'/>", ""), ("7", ""),
     ("go <break time='1ms'/>", ""), ("&amp;", ""), ("go. <mark name='a'/>", ""), ("<!-- -->", "go"),
     ("<say-as interpret-as='characters'>a</say-as> ", ""), ("<phoneme ph='kæt'/>", ""), ("[[K]] ", ""), ("\n", "go")],
)  # fmt: skip
def test_time_is_linear(unit: str, end: str) -> None:
    def seconds(n_units: int) -> float:
        document = f"<speak>{unit * n_units}{end}</speak>"
        start = time.process_time()
        list(lines_of_ssml(document, FRONTEND))
        return time.process_time() - start

    seconds(20)
    short, long = min(seconds(100) for _ in range(3)), seconds(800)
    assert long < 0.1 or long < 24 * short


class Foreign:
    """A front end of another language, which reads words letter by letter."""

    language = "de"

    def normalise(self, text: str) -> str:
        return text

    def tokens(self, text: str) -> Tokens:
        return FRONTEND.tokens(text)


def test_another_language() -> None:
    (line,) = lines_of_ssml(
        "<speak xml:lang='de-AT'>ja <emphasis>ja</emphasis> <sub alias='so'>x</sub></speak>", Foreign()
    )
    assert [word.text for word in line.tokens.words] == ["ja", "ja", "so"] and line.prosody[1].pitch == 1
    for inside in ("<phoneme ph='a'>x</phoneme>", "<say-as interpret-as='cardinal'>1</say-as>"):
        with pytest.raises(DataError, match=r"line 1, column 8: <.*> is for English: the voice speaks de"):
            lines_of_ssml(f"<speak>{inside}</speak>", Foreign())
    with pytest.raises(DataError, match="the language 'en' cannot be spoken here: the voice speaks de"):
        lines_of_ssml("<speak xml:lang='en'>x</speak>", Foreign())


def test_given_words_keep_their_sounds_whatever_is_around() -> None:
    (line,) = lines_of_ssml(
        "<speak><s>$<say-as interpret-as='cardinal'>5</say-as>. [[Y EH1 S]] <phoneme alphabet='arpabet' ph='R EH1 D'>read"
        "</phoneme> <say-as interpret-as='characters'>a</say-as></s></speak>",
        FRONTEND,
    )
    said = {word.text: (" ".join(word.phones), word.source) for word in line.tokens.words}
    assert said["five"] == ("F AY1 V", "lexicon") and said["read"] == ("R EH1 D", "inline")
    assert said["A"] == ("EY1", "letters") and said["Y_EH1_S"] == ("Y EH1 S", "inline")
