"""Your own folder: a table of transcripts and recordings. Columns, their order and their separator are found out.

`metadata.csv` (or .tsv, .txt) with `id|text`, `id|speaker|text`, the same with commas or tabs, with or without a line
of column names; recordings anywhere below `wavs/`.
"""

from __future__ import annotations

from pathlib import Path

from recipes.tts.common.corpora.layout import Layout
from recipes.tts.common.corpora.ljspeech import with_recordings
from speechkd.data.corpus import Corpus, Recordings
from speechkd.data.transcripts import Row, TableForm, read_bytes, read_table
from speechkd.errors import DataError, UsageError

FOLDER_LAYOUT = Layout(
    tree="""\
my-recordings/
  metadata.csv              (or metadata.tsv, metadata.txt) one line per recording: id|text or id|speaker|text,
                            with bars, tabs or commas; the first line may name the columns:
                            id (file, path, audio …), speaker (speaker_id, spk), text (sentence, transcript …)
  wavs/
    <id>.wav                or .flac; folders below wavs are looked into
    …""",
    needs=("metadata.csv|metadata.tsv|metadata.txt", "wavs"),
)

_TABLES = ("metadata.csv", "metadata.tsv", "metadata.txt")
_SIGNS = {"|": "|", "bar": "|", ",": ",", "comma": ",", "\t": "\t", "tab": "\t"}
_NAMES = {
    "id": ("id", "utt", "utt_id", "utterance", "utterance_id", "name", "file", "filename", "file_name", "wav",
           "wav_file", "audio", "audio_file", "audio_path", "audio_filepath", "path", "clip"),
    "speaker": ("speaker", "speaker_id", "speaker_name", "spk", "spk_id", "voice", "client_id"),
    "raw": ("raw", "raw_text", "original", "original_text"),
    "text": ("text", "sentence", "transcript", "transcription", "normalized_text", "normalised_text", "normalised",
             "normalized"),
}  # fmt: skip
_HEADINGS = {heading: name for name, headings in _NAMES.items() for heading in headings}


def read_folder(folder: Path, columns: str = "", delimiter: str = "", language: str = "") -> Corpus:
    """Read a folder. columns: what the table holds, such as "id,speaker,text" ("-" for what is not needed).

    delimiter: "bar", "comma" or "tab"; found out when not given. Raises `DataError` when the columns cannot be told.
    """
    table = next((folder / name for name in _TABLES if (folder / name).is_file()), folder / _TABLES[0])
    lines = read_bytes(table).decode("utf-8-sig", "replace").splitlines()[:200]
    form = _form(table, [line for line in lines if line.strip()], columns, delimiter)
    rows, problems = read_table(table, form)
    if not columns and not form.header:
        _check_speakers(table, rows)
    return with_recordings(folder, table, rows, problems, Recordings.walk(folder / "wavs"), language)


def _form(table: Path, lines: list[str], columns: str, delimiter: str) -> TableForm:
    if delimiter and delimiter not in _SIGNS:
        raise UsageError(f"delimiter is {delimiter!r}", todo="Give bar, comma or tab.")
    sign = _SIGNS[delimiter] if delimiter else _sign(lines)
    plain = TableForm(delimiter=sign)
    headings = [cell.strip().casefold() for cell in plain.cells(lines[0])] if lines else []
    named = tuple(_HEADINGS.get(heading, "-") for heading in headings)
    header = "id" in named and "text" in named
    if columns:
        given = tuple(name.strip() for name in columns.split(","))
        _check(table, given, columns)
        return TableForm((given,), sign, header, file_names=True)
    if header:
        _check(table, named, lines[0])
        return TableForm((named,), sign, header=True, file_names=True)
    return TableForm((("id", "text"), ("id", "speaker", "text")), sign, file_names=True)


def _check(table: Path, names: tuple[str, ...], said: str) -> None:
    if names.count("id") != 1 or names.count("text") != 1 or names.count("speaker") > 1:
        todo = 'Name each column once, such as columns="id,speaker,text"; "-" stands for one that is not needed.'
        raise DataError("The columns do not say where id and text are", where=str(table), why=said[:200], todo=todo)


def _sign(lines: list[str]) -> str:
    """The separator that most lines have; a bar before a tab before a comma, which texts hold, too."""
    share = {sign: sum(sign in line for line in lines) for sign in ("|", "\t", ",")}
    return next((sign for sign in share if lines and share[sign] * 2 > len(lines)), "|")


def _check_speakers(table: Path, rows: list[Row]) -> None:
    """A second column with something else in nearly every line is no speaker."""
    named = [row.speaker for row in rows if row.speaker]
    if len(named) > 4 and len(set(named)) * 2 > len(named) and any(" " in name for name in named):
        todo = 'If it is the text as written: --option columns=id,raw,text (or corpus "ljspeech").'
        why = f"the second of three columns holds {named[0][:40]!r} and {len(set(named)) - 1} others"
        raise DataError("Is the second column a speaker?", where=str(table), why=why, todo=todo)
