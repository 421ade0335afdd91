"""VCTK 0.92 (and 0.80): about 400 sentences by each of 110 speakers of English, at 48 kHz.

Read here rather than with lhotse's recipe of the same name, which stops at the first text without a recording and
goes through the files in the order of the file system; the tests compare the two on a sound corpus.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from recipes.tts.common.corpora.layout import Layout
from speechkd.data.corpus import Corpus, Problem, Recordings, Severity, Utterance
from speechkd.data.transcripts import read_bytes, read_sentence

VCTK_LAYOUT = Layout(
    tree="""\
VCTK-Corpus-0.92/
  speaker-info.txt          ID AGE GENDER ACCENTS REGION COMMENTS, a line per speaker
  txt/
    p225/p225_001.txt       one sentence per file
    …
  wav48_silence_trimmed/    (in release 0.80: wav48/p225/p225_001.wav)
    p225/p225_001_mic1.flac
    p225/p225_001_mic2.flac
    …""",
    needs=("txt/*/*.txt", "wav48_silence_trimmed/*/*.flac|wav48/*/*.wav"),
)

#: Speakers of whom the release lacks texts (p315), the second microphone (p280, p315) or single recordings (p362).
PUBLISHED_GAPS = frozenset({"p280", "p315", "p362"})

_COLUMNS = ("age", "gender", "accent", "region")


def read_vctk(folder: Path, mic: str = "mic1") -> Corpus:
    """Read the recordings of one microphone ("mic1": omni-directional, "mic2": cardioid). Ids are p225_001.

    Texts without recordings and the reverse are problems, infos where the release itself has a gap.
    """
    new = folder / "wav48_silence_trimmed"
    suffix = f"_{mic}" if new.is_dir() else ""
    recordings = Recordings.walk(new if new.is_dir() else folder / "wav48")
    problems: list[Problem] = []
    utterances, used = [], set()
    for path in sorted(folder.glob("txt/*/*.txt")):
        if path.name.startswith("._"):
            continue
        place = path.relative_to(folder).as_posix()
        used.add(path.stem + suffix)
        text, found = read_sentence(path, path.stem, place)
        problems += found
        audio = recordings.pick(path.stem + suffix)
        if audio is None:
            problems.append(_gap(path.stem, place, "missing_recording", f"has no recording {path.stem}{suffix}"))
        elif text is not None:
            speaker = path.parent.name
            utterances.append(Utterance(path.stem, text, audio, 1, speaker=speaker, language="en", source=path))
    unlisted = []
    for path in recordings.others(used):
        if path.stem.endswith(suffix) and path.parent.name in PUBLISHED_GAPS:
            where = path.relative_to(folder).as_posix()
            problems.append(_gap(path.stem.removesuffix(suffix), where, "no_transcript", "has no transcript"))
        elif path.stem.endswith(suffix):
            unlisted.append(path)
    speakers = dict(_speakers(folder / "speaker-info.txt", problems))
    return Corpus(folder, tuple(utterances), tuple(problems), folder / "txt", tuple(unlisted), speakers)


def _gap(id_: str, where: str, kind: str, what: str) -> Problem:
    if id_.split("_")[0] in PUBLISHED_GAPS:
        return Problem(Severity.INFO, kind, id_, where, f"{what}: a gap of the release", "It is left out.")
    return Problem(Severity.ERROR, kind, id_, where, what, "Unpack the corpus again, or remove the file.")


def _speakers(path: Path, problems: list[Problem]) -> Iterator[tuple[str, dict[str, str]]]:
    """A row per speaker; without the file nothing but their names is known."""
    if not path.is_file():
        what, todo = "is missing: sex and accent of the speakers are unknown", "Copy it from the release."
        problems.append(Problem(Severity.INFO, "no_speaker_table", "", path.name, what, todo))
        return
    for line in read_bytes(path).decode("utf-8", "replace").splitlines()[1:]:
        cells = line.split(maxsplit=4)
        if len(cells) >= 4:
            name = cells[0] if cells[0][0].isalpha() else f"p{cells[0]}"
            yield name, dict(zip(_COLUMNS, (cell.strip() for cell in cells[1:]), strict=False))
