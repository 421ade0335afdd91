"""What can be said of a corpus only when all of it was seen: mixes, outliers, duplicates, strange characters."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Container, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from speechkd.data.audiofacts import AudioFacts
from speechkd.data.corpus import Corpus, Problem, Severity, Utterance, printable
from speechkd.data.splits import same_words
from speechkd.data.texts import main_script, sign_faults

# A rate this many robust standard deviations from the median is no way of speaking but a wrong text or cut.
_RATE_DEVIATIONS = 6.0
_LEVEL_DEVIATIONS = 6.0
_LEVEL_ROOM_DB = 15.0
_FEW = 20  # below this many utterances a median says little
_MAX_LISTED = 20

Facts = Mapping[str, AudioFacts]


def corpus_problems(corpus: Corpus, facts: Facts, told: Container[str] = ()) -> Iterator[Problem]:
    """All of them. facts: what was measured, by utterance id; recordings that cannot be decoded have none.

    told: ids of recordings that a fault was found of by themselves; how loud they are says nothing new.
    """
    table = corpus.place(corpus.transcripts)
    if not corpus.utterances:
        yield Problem(Severity.ERROR, "no_utterance", "", table, "holds no usable line", "Write lines of id|text.")
    for path in corpus.unlisted:
        what, todo = "has no transcript", "Add a line for it or remove the recording."
        yield Problem(Severity.WARNING, "no_transcript", printable(path.stem), corpus.place(path), what, todo)
    yield from _signs(corpus)
    yield from _channels(corpus, facts)
    low = {id_ for id_, fact in facts.items() if fact.sample_rate < 16000}
    higher = {id_: fact for id_, fact in facts.items() if id_ not in low} or facts
    yield from _mixes(corpus, higher, "sample_rate_mix", "Hz", lambda fact: fact.sample_rate)
    yield from _mixes(corpus, facts, "channel_mix", "channels", lambda fact: fact.channels)
    for group in _by_speaker(corpus, facts):
        yield from _rate_outliers(corpus, facts, group)
        yield from _level_outliers(corpus, facts, group, told)
    yield from _repeats(corpus, facts)


def letter_rate(utterance: Utterance, facts: AudioFacts) -> float:
    """Letters and digits per second of recording, at least one."""
    return max(1, sum(map(str.isalnum, utterance.text))) / facts.duration_s


def _signs(corpus: Corpus) -> Iterator[Problem]:
    script = main_script(utterance.text for utterance in corpus.utterances)
    for utterance in corpus.utterances:
        for fault in sign_faults(utterance.text, script, corpus.normalised):
            where = corpus.text_place(utterance)
            yield Problem(Severity.WARNING, fault.kind, utterance.id, where, fault.what, fault.todo)


def _channels(corpus: Corpus, facts: Facts) -> Iterator[Problem]:
    """A corpus that is all stereo: said once. Single recordings are told by `_mixes`."""
    usual = Counter(fact.channels for fact in facts.values()).most_common(1)
    if usual and usual[0][0] > 1:
        what = f"most recordings have {usual[0][0]} channels, their mean is used"
        place = corpus.place(corpus.transcripts)
        yield Problem(Severity.WARNING, "channels", "", place, what, "Export them as mono.")


def _mixes(
    corpus: Corpus, facts: Facts, kind: str, unit: str, measure: Callable[[AudioFacts], int]
) -> Iterator[Problem]:
    """Recordings that differ from most others; when most is less than half, the corpus as a whole."""
    tally = Counter(map(measure, facts.values()))
    if len(tally) < 2:
        return
    usual, number = min(tally.items(), key=lambda pair: (-pair[1], pair[0]))
    if number * 2 <= len(facts):
        listing = ", ".join(f"{value} ({tally[value]} recordings)" for value in sorted(tally))
        place, todo = corpus.place(corpus.transcripts), "Check that they come from one source."
        yield Problem(Severity.WARNING, kind, "", place, f"recordings of several {unit}: {listing}", todo)
        return
    for utterance in corpus.utterances:
        value = measure(facts[utterance.id]) if utterance.id in facts else usual
        if value != usual:
            what = f"has {value} {unit}, {number / len(facts):.0%} of the recordings have {usual}"
            todo = "They are made equal while reading; check where it comes from."
            yield Problem(Severity.WARNING, kind, utterance.id, corpus.place(utterance.audio_path), what, todo)


def _by_speaker(corpus: Corpus, facts: Facts) -> Iterator[list[Utterance]]:
    """Utterances to be judged against each other: those of each speaker; the speakers of few words together."""
    groups: dict[str, list[Utterance]] = defaultdict(list)
    for utterance in corpus.utterances:
        if utterance.id in facts and facts[utterance.id].peak > 0:
            groups[utterance.speaker].append(utterance)
    rest = [utterance for group in groups.values() if len(group) < _FEW for utterance in group]
    yield from (group for group in groups.values() if len(group) >= _FEW)
    if len(rest) >= _FEW:
        yield rest


def _outliers(values: NDArray[np.float64], deviations: float, least_spread: float) -> list[int]:
    """Indices of `values` (N,) far from the median: median absolute deviation, scaled to a normal distribution's."""
    distance = np.abs(values - np.median(values))
    spread = max(1.4826 * float(np.median(distance)), least_spread)
    return [int(index) for index in np.flatnonzero(distance > deviations * spread)]


def _rate_outliers(corpus: Corpus, facts: Facts, group: Sequence[Utterance]) -> Iterator[Problem]:
    """Texts that are far too long or too short for their recording: letters per second, judged on a log scale."""
    rates = np.array([letter_rate(utterance, facts[utterance.id]) for utterance in group])
    for index in _outliers(np.log(rates), _RATE_DEVIATIONS, 0.1):
        what = f"{rates[index]:.1f} letters per second, the median is {np.median(rates):.1f}"
        todo = "Check that text and recording belong together."
        where = corpus.text_place(group[index])
        yield Problem(Severity.WARNING, "speaking_rate", group[index].id, where, what, todo)


def _level_outliers(
    corpus: Corpus, facts: Facts, group: Sequence[Utterance], told: Container[str]
) -> Iterator[Problem]:
    levels = 20 * np.log10([max(facts[utterance.id].level, 1e-6) for utterance in group])
    for index in _outliers(levels, _LEVEL_DEVIATIONS, _LEVEL_ROOM_DB / _LEVEL_DEVIATIONS):
        if group[index].id in told:
            continue
        what = f"speech at {levels[index]:.0f} dB, the median is {np.median(levels):.0f} dB"
        where, todo = corpus.place(group[index].audio_path), "Check that it is the same speaker and microphone."
        yield Problem(Severity.WARNING, "level", group[index].id, where, what, todo)


def _repeats(corpus: Corpus, facts: Facts) -> Iterator[Problem]:
    texts: dict[str, list[Utterance]] = defaultdict(list)
    sounds: dict[str, list[Utterance]] = defaultdict(list)
    for utterance in corpus.utterances:
        texts[same_words(utterance.text)].append(utterance)
        if utterance.id in facts and facts[utterance.id].peak > 0:
            sounds[facts[utterance.id].digest].append(utterance)
    for group in (group for group in texts.values() if len(group) > 1):
        what = f"the same text {len(group)} times: {_names(group)}"
        todo = "They stay in the same part when the corpus is split."
        yield Problem(Severity.INFO, "same_text", group[0].id, corpus.text_place(group[0]), what, todo)
    for group in (group for group in sounds.values() if len(group) > 1):
        what = f"the same recording {len(group)} times: {_names(group)}"
        todo = "Keep one of them."
        yield Problem(Severity.WARNING, "same_recording", group[0].id, corpus.text_place(group[0]), what, todo)


def _names(group: list[Utterance]) -> str:
    names = ", ".join(utterance.id for utterance in group[:_MAX_LISTED])
    return names if len(group) <= _MAX_LISTED else f"{names} …"
