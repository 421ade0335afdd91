"""LibriTTS and LibriTTS-R: audiobooks by 2,456 speakers at 24 kHz, with dev, test and train parts.

Read here rather than with lhotse's recipe, which stops at the first damaged line or recording; the tests compare the
two on a sound corpus.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from recipes.tts.common.corpora.layout import Layout
from speechkd.data.corpus import Corpus, Problem, Recordings, Severity, Utterance, printable
from speechkd.data.transcripts import read_bytes, read_sentence

LIBRITTS_LAYOUT = Layout(
    tree="""\
LibriTTS/                   (or LibriTTS_R/)
  speakers.tsv              READER GENDER SUBSET NAME, a line per speaker (or SPEAKERS.txt, with bars)
  dev-clean/                any of dev-clean dev-other test-clean test-other train-clean-100 train-clean-360
    84/121123/              speaker / chapter                                             train-other-500
      84_121123_000007_000001.wav
      84_121123_000007_000001.normalized.txt
      84_121123_000007_000001.original.txt
      …
  …""",
    needs=("dev-*/*/*/*.wav|test-*/*/*/*.wav|train-*/*/*/*.wav",),
)

_PARTS = {"dev": "valid", "test": "test", "train": "train"}


def read_libritts(folder: Path, text: str = "normalized", subsets: str = "") -> Corpus:
    """Read all subsets that are there, or those named ("dev-clean,test-clean").

    text: "normalized" or "original", which of the two files is read. Ids are 84_121123_000007_000001.
    """
    utterances: list[Utterance] = []
    problems: list[Problem] = []
    unlisted: list[Path] = []
    for subset in _chosen(folder, subsets, problems):
        recordings = Recordings.walk(subset)
        part = _PARTS[subset.name.split("-")[0]]
        used = set()
        for path in sorted(subset.glob(f"*/*/*.{text}.txt")):
            id_ = path.name.removesuffix(f".{text}.txt")
            if id_.startswith("._"):
                continue
            used.add(id_)
            utterance = _utterance(folder, path, id_, recordings, problems)
            if utterance is not None:
                utterances.append(replace(utterance, speaker=path.parent.parent.name, part=part))
        unlisted += recordings.others(used)
    speakers = dict(_speakers(folder))
    normalised = text == "normalized"
    return Corpus(folder, tuple(utterances), tuple(problems), folder, tuple(unlisted), speakers, normalised)


def _chosen(folder: Path, subsets: str, problems: list[Problem]) -> list[Path]:
    there = {path.name: path for name in _PARTS for path in folder.glob(f"{name}-*") if path.is_dir()}
    wanted = [name.strip() for name in subsets.split(",") if name.strip()] or sorted(there)
    for name in wanted:
        if name not in there:
            what = f"is not there; there are {', '.join(sorted(there)) or 'none'}"
            problems.append(Problem(Severity.ERROR, "missing_subset", "", printable(name), what, "Unpack it here."))
    return [there[name] for name in wanted if name in there]


def _utterance(folder: Path, path: Path, id_: str, recordings: Recordings, problems: list[Problem]) -> Utterance | None:
    place = path.relative_to(folder).as_posix()
    text, found = read_sentence(path, id_, place)
    problems += found
    audio = recordings.pick(id_)
    if audio is None:
        what, todo = f"has no recording {id_}.wav", "Unpack the corpus again, or remove the text."
        problems.append(Problem(Severity.ERROR, "missing_recording", id_, place, what, todo))
    if audio is None or text is None:
        return None
    return Utterance(id_, text, audio, 1, language="en", source=path)


def _speakers(folder: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """Rows of `speakers.tsv` (tabs) or `SPEAKERS.txt` (bars, comments after a semicolon), whichever is there."""
    for name, sign in (("speakers.tsv", "\t"), ("SPEAKERS.txt", "|")):
        path = folder / name
        if not path.is_file():
            continue
        for line in read_bytes(path).decode("utf-8", "replace").splitlines():
            cells = [cell.strip() for cell in line.split(sign)]
            if len(cells) >= 4 and cells[0].isdigit():
                yield cells[0], {"gender": cells[1], "name": cells[-1]}
        return
