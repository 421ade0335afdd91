"""Corpora laid out like LJSpeech: `metadata.csv` with `id|text` or `id|raw|normalised`, recordings in `wavs/`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from speechkd.data.corpus import READABLE_SUFFIXES, Corpus, Problem, Recordings, Severity, Utterance
from speechkd.data.download import Archive
from speechkd.data.transcripts import Row, read_table

#: LJSpeech 1.1 (public domain): 13,100 clips, 24 hours.
LJSPEECH_ARCHIVE = Archive(
    url="https://data.keithito.com/data/speech/LJSpeech-1.1.tar.bz2",
    sha256="be1a30453f28eb8dd26af4101ae40cbf2c50413b1bb21936cbcdc6fae3de8aa5",
    size=2_748_572_632,
    folder="LJSpeech-1.1",
)


def read_ljspeech(folder: Path) -> Corpus:
    """Read a corpus folder. Nothing is decoded; `speechkd.data.validate.validate_corpus` does that.

    The last column is the text. Recordings are `wavs/<id>.wav` or `.flac`. Lines that cannot be used are problems of
    the result, not exceptions; raises `DataError` only without a readable `metadata.csv` or `wavs` folder.
    """
    table = folder / "metadata.csv"
    rows, problems = read_table(table)
    recordings = Recordings.scan(folder / "wavs")
    utterances = []
    for row in rows:
        path = recordings.pick(row.id)
        problems += _recording_problems(row, recordings)
        if path is not None:
            utterances.append(Utterance(row.id, row.text, path, row.line))
    # A recording whose line is broken is not one without a line: its fault is reported already.
    listed = {row.id: row for row in rows} | {problem.id: problem for problem in problems}
    unlisted = tuple(recordings.others(listed))
    return Corpus(folder, tuple(utterances), tuple(problems), table, unlisted)


def _recording_problems(row: Row, recordings: Recordings) -> Iterator[Problem]:
    where = f"metadata.csv:{row.line}:1"
    readable = [p for p in recordings.by_stem.get(row.id, []) if p.suffix.lower() in READABLE_SUFFIXES]
    if recordings.pick(row.id) is None:
        what, todo = f"wavs has no {row.id}.wav or .flac", "Add the recording or remove the line."
        yield Problem(Severity.ERROR, "missing_recording", row.id, where, what, todo)
    if len(readable) > 1:
        what, todo = f"wavs has several recordings called {row.id}", "Keep one of them."
        yield Problem(Severity.ERROR, "ambiguous_recording", row.id, where, what, todo)
