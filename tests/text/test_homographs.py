from __future__ import annotations

import re
import time
from difflib import SequenceMatcher
from pathlib import Path

import pytest

from speechkd.text import EnglishFrontend, Tokens, cmu_lexicon, is_phone
from speechkd.text.cases import HomographCase, read_homographs
from speechkd.text.homograph_table import BY_PART, BY_SENSE
from speechkd.text.homographs import readings
from tests.conftest import shared_data

FRONTEND = EnglishFrontend()
CASES = read_homographs()
TUNED = [case for case in CASES if case.part == "tuned"]
HELD_OUT = [case for case in CASES if case.part == "heldout"]
TABLE = BY_PART | BY_SENSE
# Readings that the CMU dictionary does not list; every other one must be there.
ADDED = frozenset(
    "absent aggregate august blessed conduct designate does entrance export fragment house initiate number perfume "
    "proceed row upgrade used".split()
)


@pytest.mark.parametrize("case", TUNED, ids=lambda case: case.sentence[:40])
def test_reading(case: HomographCase) -> None:
    assert case.heard(FRONTEND) == case.expected()


def test_most_sentences_that_the_rules_never_saw() -> None:
    right = sum(case.heard(FRONTEND) == case.expected() for case in HELD_OUT)
    first = sum(cmu_lexicon().variants(case.word)[0] == case.expected() for case in HELD_OUT)
    assert right / len(HELD_OUT) >= 0.95
    assert right > first


def test_the_table_is_wide() -> None:
    assert len(TUNED) >= 250 and len(HELD_OUT) >= 80 and len(TABLE) >= 60
    assert not {case.sentence for case in TUNED} & {case.sentence for case in HELD_OUT}


def test_readings_are_those_of_the_dictionary() -> None:
    missing = set()
    for word, named in TABLE.items():
        listed = cmu_lexicon().variants(word)
        assert len(set(named.values())) == 2, word
        assert all(is_phone(phone) for phones in named.values() for phone in phones)
        if not set(named.values()) <= set(listed):
            missing.add(word)
    assert missing == ADDED


def test_forms_are_built_from_their_base() -> None:
    assert set(readings("records").values()) <= set(cmu_lexicon().variants("records"))
    assert readings("project's") == {"noun": (*BY_PART["project"]["noun"], "S")}
    assert readings("houses")["noun"] == ("HH", "AW1", "Z", "IH0", "Z")
    assert readings("cat") == readings("reads") == {}


def test_the_other_reading_stays_a_variant() -> None:
    word = FRONTEND.tokens("They record it.").words[1]
    assert word.phones == BY_PART["record"]["verb"] and word.source == "lexicon"
    assert BY_PART["record"]["noun"] in word.variants and word.phones not in word.variants
    assert len(set(word.variants)) == len(word.variants)
    assert set(cmu_lexicon().variants("record")) <= {word.phones, *word.variants}


def test_the_users_lexicon_wins() -> None:
    own = ("L", "IY1", "D", "AH0")
    frontend = EnglishFrontend({"lead": own})
    for text in ("They lead.", "a pipe of lead"):
        assert own in [word.phones for word in frontend.tokens(text).words]


def test_capital_of_polish() -> None:
    assert FRONTEND.normalise("A Polish polish.") == "a Polish polish."
    words = FRONTEND.tokens("A Polish polish.").words
    assert [word.text for word in words] == ["a", "polish", "polish"]
    assert words[1].phones == BY_SENSE["polish"]["nation"] and words[2].phones == BY_SENSE["polish"]["shine"]


def test_twenty_thousand_words_a_second() -> None:
    spoken = " ".join(FRONTEND.normalise(case.sentence) for case in CASES)
    FRONTEND.spoken_tokens(spoken)
    seconds = []
    for _ in range(3):
        start = time.process_time()
        count = len(FRONTEND.spoken_tokens(spoken).words)
        seconds.append(time.process_time() - start)
    assert count / min(seconds) > 20_000


def test_readings_of_real_speech() -> None:
    """LJSpeech as Montreal Forced Aligner heard it: which of the two readings is nearer to the phones it found."""
    folder = shared_data("data/speech/ljspeech300")
    lines = (folder / "metadata.csv").read_text(encoding="utf-8").splitlines()
    texts = {line.split("|")[0]: line.split("|")[-1] for line in lines}
    agree = count = 0
    for path in sorted((folder / "TextGrid").glob("*.TextGrid")):
        for phones, named, said in _heard(path, FRONTEND.tokens(texts[path.stem])):
            nearest = min(set(named.values()), key=lambda reading: _differences(reading, said))
            count += 1
            agree += _differences(phones, said) <= _differences(nearest, said)
    assert count > 30 and agree / count > 0.9


def _heard(path: Path, tokens: Tokens) -> list[tuple[tuple[str, ...], dict[str, tuple[str, ...]], tuple[str, ...]]]:
    """Per homograph: our phones, its readings, the phones of the grid."""
    words, phones = (_intervals(tier) for tier in re.split(r"item \[\d+\]:", path.read_text(encoding="utf-8"))[1:3])
    words = [interval for interval in words if interval[2]]
    ours = [word.text for word in tokens.words]
    found = []
    for theirs, own, size in SequenceMatcher(None, [w[2] for w in words], ours, autojunk=False).get_matching_blocks():
        for k in range(size):
            start, end, text = words[theirs + k]
            if len(set((named := readings(text)).values())) == 2:
                said = tuple(phone for a, b, phone in phones if phone and a >= start - 1e-6 and b <= end + 1e-6)
                found.append((tokens.words[own + k].phones, named, said))
    return found


def _intervals(tier: str) -> list[tuple[float, float, str]]:
    pattern = r'xmin = ([\d.]+)\s+xmax = ([\d.]+)\s+text = "([^"]*)"'
    return [(float(a), float(b), text) for a, b, text in re.findall(pattern, tier)]


def _differences(a: tuple[str, ...], b: tuple[str, ...]) -> int:
    return sum(x != y for x, y in zip(a, b, strict=False)) + abs(len(a) - len(b))
