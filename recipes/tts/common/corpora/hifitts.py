"""Hi-Fi TTS: 292 hours of ten audiobook readers at 44.1 kHz, with its own dev, test and train parts.

Read here rather than with lhotse's recipe, which hands out the parts in the order in which its workers finish, under
the names of others, and stops at the first damaged line.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from recipes.tts.common.corpora.layout import Layout
from speechkd.data.corpus import READABLE_SUFFIXES, Corpus, Problem, Recordings, Severity, Utterance
from speechkd.data.texts import control_fault, spoken_faults
from speechkd.data.transcripts import read_bytes

HIFITTS_LAYOUT = Layout(
    tree="""\
hi_fi_tts_v0/
  92_manifest_clean_train.json   <speaker>_manifest_<clean or other>_<train, dev or test>.json, an object per line:
                                 audio_filepath, duration, text, text_no_preprocessing, text_normalized
  92_manifest_clean_dev.json
  …
  audio/
    92_clean/10425/windsofheaven_01_author_0000.flac
    …""",
    needs=("*_manifest_*_*.json", "audio"),
)

#: Who reads, from the paper (Bakhturina et al. 2021, arXiv 2104.01497, table 1).
SPEAKERS = {
    "92": ("Cori Samuel", "F"), "6097": ("Phil Benson", "M"), "6670": ("Mike Pelton", "M"), "6671": ("Tony Oliva", "M"),
    "8051": ("Maria Kasper", "F"), "9017": ("John Van Stan", "M"), "9136": ("Helen Taylor", "F"),
    "11614": ("Sylviamb", "F"), "11697": ("Celine Major", "F"), "12787": ("LikeManyWaters", "F"),
}  # fmt: skip

_PARTS = {"dev": "valid", "test": "test", "train": "train"}


def read_hifitts(folder: Path, text: str = "text_normalized") -> Corpus:
    """Read all manifests that are there. Ids are the paths below audio/ with "_" for "/".

    text: "text_normalized" (with punctuation), "text" (lower case, none) or "text_no_preprocessing".
    """
    reader = _Reader(folder, text)
    for path in sorted(folder.glob("*_manifest_*_*.json")):
        reader.read(path)
    recordings = Recordings.walk(folder / "audio")
    unlisted = tuple(path for paths in recordings.by_stem.values() for path in paths if path not in reader.used)
    speakers = {id_: {"name": name, "gender": gender} for id_, (name, gender) in SPEAKERS.items()}
    utterances = tuple(sorted(reader.utterances, key=lambda each: each.id))
    return Corpus(
        folder,
        utterances,
        tuple(reader.problems),
        folder,
        tuple(sorted(unlisted)),
        speakers,
        text != "text_no_preprocessing",
    )


class _Reader:
    """Reads manifest after manifest; remembers ids and recordings."""

    def __init__(self, folder: Path, field: str) -> None:
        self._folder = folder
        self._field = field
        self._seen: dict[str, str] = {}
        self.used: set[Path] = set()
        self.utterances: list[Utterance] = []
        self.problems: list[Problem] = []

    def read(self, path: Path) -> None:
        speaker, _, _, part = [*path.stem.split("_"), "", "", ""][:4]
        for line, raw in enumerate(read_bytes(path).split(b"\n"), start=1):
            if not raw.strip():
                continue
            where = f"{path.name}:{line}:1"
            try:
                row = json.loads(raw)
            except (ValueError, RecursionError) as error:
                self._error("bad_json", "", where, f"is not JSON: {error}", "Unpack the corpus again.")
                continue
            if not isinstance(row, dict) or not isinstance(row.get("audio_filepath"), str):
                self._error("bad_json", "", where, "names no audio_filepath", "Unpack the corpus again.")
                continue
            self._row(row, where, Utterance("", "", Path(), line, None, speaker, "en", _PARTS.get(part, ""), path))

    def _row(self, row: dict[str, Any], where: str, form: Utterance) -> None:
        name = row["audio_filepath"]
        if not name.isprintable():
            self._error("bad_id", "", where, f"{name!r} is not a path below audio/", "Unpack the corpus again.")
            return
        audio = self._folder / name
        id_ = "_".join(Path(name).with_suffix("").parts[1:])
        if Path(name).parts[:1] != ("audio",) or ".." in Path(name).parts or not id_:
            self._error("bad_id", "", where, f"{name!r} is not a path below audio/", "Unpack the corpus again.")
            return
        self.used.add(audio)
        if id_ in self._seen:
            what = f"{name} stands already in {self._seen[id_]}"
            self._error("duplicate_id", id_, where, what, "Keep one of the lines.")
            return
        self._seen[id_] = where
        if audio.suffix.lower() not in READABLE_SUFFIXES or not os.path.lexists(audio):
            self._error("missing_recording", id_, where, f"there is no {name}", "Unpack the corpus again.")
            return
        text = self._text(row.get(self._field), id_, where)
        if text is not None:
            form = Utterance(id_, text, audio, form.line, None, form.speaker, "en", form.part, form.source)
            self.utterances.append(form)

    def _text(self, value: Any, id_: str, where: str) -> str | None:
        if not isinstance(value, str):
            self._error("bad_json", id_, where, f"has no {self._field}", "Unpack the corpus again.")
            return None
        text = " ".join(value.split())
        control = control_fault(text)
        faults = [control] if control else list(spoken_faults(text))
        for fault in faults:
            severity = Severity.WARNING if fault.usable else Severity.ERROR
            self.problems.append(Problem(severity, fault.kind, id_, where, fault.what, fault.todo))
        return text if all(fault.usable for fault in faults) else None

    def _error(self, kind: str, id_: str, where: str, what: str, todo: str) -> None:
        self.problems.append(Problem(Severity.ERROR, kind, id_, where, what, todo))
