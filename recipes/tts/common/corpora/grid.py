"""GRID: 34 speakers, each filmed saying 1,000 sentences of six words ("bin blue at f two now").

Read here rather than with lhotse's recipe, which needs a video decoder, passes over films it cannot read without a
word, gives them in the order in which its workers finish, and takes the times of the words for milliseconds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from recipes.tts.common.corpora.layout import Layout
from speechkd.data.corpus import Corpus, Problem, Severity, Utterance
from speechkd.data.transcripts import read_bytes
from speechkd.errors import DataError

GRID_LAYOUT = Layout(
    tree="""\
GRID/
  s1/                       s1 … s34; films directly in it or below (s1/video/mpg_6000/…)
    bbaf2n.mpg              MPEG-1 or .mpg of higher quality; the name spells the sentence
    …
    align/bbaf2n.align      "start end word" per line, 25,000 to the second;
  alignments/s1/bbaf2n.align       or here, or beside the film
  audio_25k/s1/bbaf2n.wav   optional; without it the sound of the film is used""",
    needs=("**/*.mpg",),
)

#: What the six characters of a name stand for (Cooke et al. 2006, table I).
GRAMMAR = (
    {"b": "bin", "l": "lay", "p": "place", "s": "set"},
    {"b": "blue", "g": "green", "r": "red", "w": "white"},
    {"a": "at", "b": "by", "i": "in", "w": "with"},
    {letter: letter for letter in "abcdefghijklmnopqrstuvxyz"},
    dict(zip("123456789z", "one two three four five six seven eight nine zero".split(), strict=True)),
    {"n": "now", "a": "again", "p": "please", "s": "soon"},
)

UNITS_PER_SECOND = 25_000
_SILENCES = ("sil", "sp")
_SPEAKER = re.compile(r"s\d{1,2}")
_LAST_S = 60.0

Words = tuple[tuple[float, float, str], ...]


def spelled(code: str) -> str | None:
    """The sentence that a file name stands for: bbaf2n is "bin blue at f two now"; None for any other name."""
    words = [choice.get(sign) for choice, sign in zip(GRAMMAR, code, strict=False)]
    return " ".join(map(str, words)) if len(code) == len(GRAMMAR) and all(words) else None


def read_grid(folder: Path, speakers: str = "") -> Corpus:
    """Read all films, or those of the speakers named ("s1,s2"). Ids are s1_bbaf2n, or bbaf2n in a folder of one.

    The text is that of the alignment, which must be that of the file name; without an alignment, that of the name.
    """
    wanted = {name.strip() for name in speakers.split(",") if name.strip()}
    films = {key: path for key, path in _files(folder, ".mpg") if not wanted or key[0] in wanted}
    aligns, sounds = dict(_files(folder, ".align")), dict(_files(folder, ".wav"))
    utterances: list[Utterance] = []
    problems: list[Problem] = []
    words: dict[str, Words] = {}
    for (speaker, name), film in sorted(films.items()):
        id_ = f"{speaker}_{name}" if speaker else name
        align = aligns.get((speaker, name))
        text = spelled(name)
        if align is None:
            problems += _without_times(folder, film, id_, text)
        else:
            said, found = _read_align(folder, align, id_, text)
            problems += found
            words[id_] = said or ()
            text = " ".join(word for _, _, word in said) if said else None
        if text:
            sound = sounds.get((speaker, name), film)
            source = None if align is None else align
            utterances.append(
                Utterance(id_, text, sound, 1, speaker=speaker, language="en", source=source, video_path=film)
            )
    problems += _lonely(folder, set(aligns) - set(films), aligns, wanted)
    return Corpus(folder, tuple(utterances), tuple(problems), folder, words=words)


def _files(folder: Path, suffix: str) -> Iterator[tuple[tuple[str, str], Path]]:
    """Files below `folder` by speaker and name; the speaker is the nearest folder called s1 … s34, or ""."""
    for path in sorted(folder.rglob(f"*{suffix}")):
        parents = path.relative_to(folder).parts[:-1]
        if path.name.startswith("._") or "__MACOSX" in parents:
            continue
        speaker = next((part for part in reversed(parents) if _SPEAKER.fullmatch(part)), "")
        yield (speaker, path.stem), path


def _without_times(folder: Path, film: Path, id_: str, text: str | None) -> Iterator[Problem]:
    where = film.relative_to(folder).as_posix()
    if text is None:
        what, todo = "has no alignment, and its name spells no sentence", "Add its .align file or remove the film."
        yield Problem(Severity.ERROR, "no_transcript", id_, where, what, todo)
    else:
        what, todo = "has no alignment; its name gives the text", "Add its .align file for the times of the words."
        yield Problem(Severity.WARNING, "missing_alignment", id_, where, what, todo)


def _read_align(folder: Path, path: Path, id_: str, spells: str | None) -> tuple[Words | None, list[Problem]]:
    """The spoken words with their times, None when the file is broken."""
    place = path.relative_to(folder).as_posix()
    problems: list[Problem] = []
    words: list[tuple[float, float, str]] = []
    try:
        lines = read_bytes(path).decode("utf-8", "replace").splitlines()
    except DataError as error:
        what = f"cannot be read: {error.why}"
        return None, [Problem(Severity.ERROR, "unreadable", id_, place, what, "Copy it again.")]
    at = 0.0
    for number, line in enumerate(lines, start=1):
        cells = line.split()
        if not cells:
            continue
        if len(cells) != 3 or not (cells[0].isdigit() and cells[1].isdigit()):
            what = "is not `start end word`"
            problems.append(
                Problem(Severity.ERROR, "bad_alignment", id_, f"{place}:{number}:1", what, "Copy it again.")
            )
            return None, problems
        start, end = (int(cell) / UNITS_PER_SECOND for cell in cells[:2])
        if not at <= start < end <= _LAST_S:
            what = f"lasts from {start:.3f} to {end:.3f} s, after {at:.3f} s"
            problems.append(
                Problem(Severity.ERROR, "bad_alignment", id_, f"{place}:{number}:1", what, "Copy it again.")
            )
            return None, problems
        at = end
        if cells[2] not in _SILENCES:
            words.append((start, end, cells[2]))
    said = " ".join(word for _, _, word in words)
    if spells is not None and said != spells:
        what = f"says {said!r}, the name of the film {spells!r}"
        todo = "The alignments of some speakers of the release stand in the folders of others."
        problems.append(Problem(Severity.ERROR, "name_mismatch", id_, place, what, todo))
        return None, problems
    return tuple(words), problems


def _lonely(
    folder: Path, keys: set[tuple[str, str]], aligns: dict[tuple[str, str], Path], wanted: set[str]
) -> Iterator[Problem]:
    for speaker, name in sorted(keys):
        if wanted and speaker not in wanted:
            continue
        where = aligns[speaker, name].relative_to(folder).as_posix()
        what, todo = "has no film", "Add the film or remove the alignment."
        yield Problem(Severity.WARNING, "missing_video", f"{speaker}_{name}".strip("_"), where, what, todo)
