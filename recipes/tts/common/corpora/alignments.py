"""Given alignments checked against their corpus before anything is trained on them: every TextGrid, in one pass."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from speechkd.align.textgrid import SILENT_LABELS, Tier, read_tiers
from speechkd.align.types import SAME_INSTANT_S
from speechkd.data.audiofacts import AudioFacts
from speechkd.data.corpus import Corpus, Problem, Severity, printable
from speechkd.data.splits import same_words
from speechkd.errors import DataError

#: How far the end of an alignment may be from that of its recording: half a frame of 256 samples at 22,050 Hz.
MAX_LENGTH_DIFFERENCE_S = 0.0058

_AGAIN = "Align this utterance again."


def check_alignments(folder: Path, corpus: Corpus, facts: Mapping[str, AudioFacts] | None = None) -> list[Problem]:
    """What is wrong with the TextGrids `folder/ID.TextGrid` (or in folders of speakers below it).

    Kinds: missing_textgrid, bad_textgrid (not one, or overlapping or empty intervals), missing_tier, extra_tier,
    alignment_gap (phones that do not cover everything, so that their durations do not sum up), tier_length,
    alignment_length (another length than the recording's), alignment_words (other words than the text's), and the
    warnings extra_textgrid and unknown_word ("spn", MFA's mark of a word without pronunciation).

    facts: the recordings as measured, by id; utterances without are not compared with their recording. Raises
    `DataError` when there is no such folder.
    """
    if not folder.is_dir():
        raise DataError("No folder of alignments", where=str(folder), why="there is no such folder")
    found = {path.stem: path for path in sorted(folder.rglob("*.TextGrid"), reverse=True)}
    problems: list[Problem] = []
    for utterance in corpus.utterances:
        path = found.pop(utterance.id, None)
        if path is None:
            where, what = printable(f"{utterance.id}.TextGrid"), f"is not in {folder.name}"
            problems.append(_error("missing_textgrid", utterance.id, where, what, "Align this utterance."))
            continue
        fact = (facts or {}).get(utterance.id)
        where = printable(path.relative_to(folder).as_posix())
        problems += _check_file(path, where, utterance.id, utterance.text, fact.duration_s if fact else None)
    for stem, path in sorted(found.items()):
        where, what = printable(path.relative_to(folder).as_posix()), "belongs to no utterance"
        todo = "Remove it, or bring its recording."
        problems.append(Problem(Severity.WARNING, "extra_textgrid", printable(stem), where, what, todo))
    return problems


def _error(kind: str, id_: str, where: str, what: str, todo: str = _AGAIN) -> Problem:
    return Problem(Severity.ERROR, kind, id_, where, what, todo)


def _check_file(path: Path, where: str, id_: str, text: str, audio_s: float | None) -> Iterator[Problem]:
    try:
        tiers = read_tiers(path)
    except DataError as error:
        line = (error.where or "").rpartition(":")[2]
        place = f"{where}:{line}" if line.isdigit() else where
        yield _error("bad_textgrid", id_, place, f"{error.what.lower()}: {error.why}")
        return
    named = {name: [tier for tier in tiers if _is(tier, name)] for name in ("words", "phones")}
    for name, same in named.items():
        if not same:
            listing = ", ".join(repr(tier.name) for tier in tiers) or "none"
            yield _error("missing_tier", id_, where, f"has no tier {name!r}; tiers: {listing}")
    if not all(named.values()):
        return
    extra = [tier.name for tier in tiers if not any(tier in same[:1] for same in named.values())]
    if extra:
        yield _error("extra_tier", id_, where, f"has the tiers {', '.join(map(repr, extra))} beside words and phones")
    else:
        words, phones = named["words"][0], named["phones"][0]
        yield from _check_times(words, phones, where, id_, audio_s)
        yield from _check_words(words, phones, where, id_, text)


def _is(tier: Tier, name: str) -> bool:
    """MFA writes "speaker - words" when it knows the speaker."""
    return tier.name == name or tier.name.endswith(f" - {name}")


def _check_times(words: Tier, phones: Tier, where: str, id_: str, audio_s: float | None) -> Iterator[Problem]:
    at = phones.start_s
    for interval in phones.intervals:
        if interval.start_s - at > SAME_INSTANT_S:
            yield _error("alignment_gap", id_, where, f"no phone from {at:.3f} to {interval.start_s:.3f} s")
            return
        at = interval.end_s
    if abs(at - phones.end_s) > SAME_INSTANT_S:
        what = (
            f"the phones sum up to {at - phones.start_s:.3f} s, their tier lasts {phones.end_s - phones.start_s:.3f} s"
        )
        yield _error("alignment_gap", id_, where, what)
    elif abs(words.end_s - phones.end_s) > SAME_INSTANT_S or abs(words.start_s - phones.start_s) > SAME_INSTANT_S:
        what = f"words end at {words.end_s:.3f} s, phones at {phones.end_s:.3f} s"
        yield _error("tier_length", id_, where, what)
    elif audio_s is not None and abs(phones.end_s - audio_s) > MAX_LENGTH_DIFFERENCE_S:
        what = f"ends at {phones.end_s:.3f} s, its recording at {audio_s:.3f} s"
        yield _error("alignment_length", id_, where, what, "Align the recording as it is now.")


def _check_words(words: Tier, phones: Tier, where: str, id_: str, text: str) -> Iterator[Problem]:
    """A rough look only: an aligner may write numbers and abbreviations as words of its own."""
    said = [interval.label for interval in words.intervals if interval.label not in SILENT_LABELS]
    if any(interval.label == "spn" for interval in phones.intervals):
        what, todo = "has words without pronunciation (spn)", "Add them to the dictionary of the aligner."
        yield Problem(Severity.WARNING, "unknown_word", id_, where, what, todo)
    if not said or (_overlap(said, text) == 0 and not any(map(str.isdigit, text))):
        what = f"says {' '.join(said)[:60]!r}, the text {text[:60]!r}"
        yield _error("alignment_words", id_, where, what, "Check that both belong together.")


def _overlap(said: list[str], text: str) -> int:
    """How many words occur in both; parts of contractions and hyphenations count."""
    parts = {part for word in said for part in same_words(word).replace("'", " ").split()}
    return len(parts & set(same_words(text).replace("'", " ").split()))
