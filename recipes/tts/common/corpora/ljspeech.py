"""Corpora laid out like LJSpeech: `metadata.csv` with `id|text` or `id|raw|normalised`, recordings in `wavs/`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from recipes.tts.common.corpora.layout import Layout
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

LJSPEECH_LAYOUT = Layout(
    tree="""\
LJSpeech-1.1/
  metadata.csv              one line per recording, no heading: id|text or id|raw text|normalised text
  wavs/
    LJ001-0001.wav          <id>.wav or <id>.flac
    …""",
    needs=("metadata.csv", "wavs"),
)


def read_ljspeech(folder: Path) -> Corpus:
    """Read a corpus folder. Nothing is decoded; `speechkd.data.validate.validate_corpus` does that.

    The last column is the text. Recordings are `wavs/<id>.wav` or `.flac`. Lines that cannot be used are problems of
    the result, not exceptions; raises `DataError` only without a readable `metadata.csv` or `wavs` folder.
    """
    table = folder / "metadata.csv"
    rows, problems = read_table(table)
    normalised = any(line.count(b"|") == 2 for line in table.read_bytes().split(b"\n", 1)[:1])
    return with_recordings(folder, table, rows, problems, Recordings.scan(folder / "wavs"), normalised=normalised)


def with_recordings(
    folder: Path,
    table: Path,
    rows: list[Row],
    problems: list[Problem],
    recordings: Recordings,
    language: str = "",
    normalised: bool = False,
) -> Corpus:
    """The corpus of a table's rows and the recordings of the same names."""
    utterances, used = [], {row.id for row in rows}
    for row in rows:
        path = recordings.pick(row.id)
        problems += _recording_problems(row, table.name, recordings, used)
        if path is not None:
            utterances.append(Utterance(row.id, row.text, path, row.line, speaker=row.speaker, language=language))
    # A recording whose line is broken is not one without a line: its fault is reported already.
    used |= {problem.id for problem in problems}
    unlisted = tuple(recordings.others(used))
    return Corpus(folder, tuple(utterances), tuple(problems), table, unlisted, normalised=normalised)


def _recording_problems(row: Row, table: str, recordings: Recordings, used: set[str]) -> Iterator[Problem]:
    """Adds to `used` the names of recordings that a line means but does not write the same way."""
    where = f"{table}:{row.line}:1"
    readable = [p for p in recordings.by_stem.get(row.id, []) if p.suffix.lower() in READABLE_SUFFIXES]
    if recordings.pick(row.id) is None:
        near = recordings.nearly(row.id)
        what, todo = f"{recordings.folder.name} has no {row.id}.wav or .flac", "Add the recording or remove the line."
        if near is not None:
            used.add(near)
            todo = f"There is {near!r}, written with another case or other accents: rename it."
        yield Problem(Severity.ERROR, "missing_recording", row.id, where, what, todo)
    if len(readable) > 1:
        what, todo = f"{recordings.folder.name} has several recordings called {row.id}", "Keep one of them."
        yield Problem(Severity.ERROR, "ambiguous_recording", row.id, where, what, todo)
