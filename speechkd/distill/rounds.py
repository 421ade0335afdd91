"""Training again and again: the student of a round is the teacher of the next.

Step halving (ProDiff), distilling a model into itself, and growing the scale of super-resolution are this loop with
another transform. Knows folders only; a model in one is a description with weights, as `fingerprint` reads it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from speechkd.config import canonical, jsonable
from speechkd.distill.fingerprint import fingerprint
from speechkd.errors import ArtifactError
from speechkd.runner.publish import fresh_folder, publish_folder, remove, write_json

RECORD = "round.json"
S = TypeVar("S")


@dataclass(frozen=True)
class Round(Generic[S]):
    """One round, from 1: read the model in `teacher`, which has `teacher_setting`; fill `student` for `setting`.

    `work` is kept when the round is killed and goes on: the place of the training loop's checkpoints.
    """

    number: int
    teacher_setting: S
    setting: S
    teacher: Path
    student: Path
    work: Path


@dataclass(frozen=True)
class Rounds(Generic[S]):
    """`n_rounds` rounds: setting(0) = start is that of the first teacher, setting(r) = transform(setting(r - 1)).

    A setting is anything that JSON can hold (sampling steps, a scale, None). `train(round)` trains one student.
    """

    n_rounds: int
    start: S
    transform: Callable[[S], S]
    train: Callable[[Round[S]], None]

    def settings(self) -> tuple[S, ...]:
        """The settings of the first teacher and of every round's student: n_rounds + 1 of them."""
        found = [self.start]
        for _ in range(self.n_rounds):
            found.append(self.transform(found[-1]))
        return tuple(found)

    def run(self, teacher: Path, folder: Path) -> Path:
        """Train what is not trained yet; returns the folder of the last student, `<folder>/round-NN`.

        Finished rounds are kept, a round that was killed goes on. ArtifactError if a finished round had another
        setting or teacher than it would have now, or a round leaves no model.
        """
        settings = self.settings()
        for number in range(1, self.n_rounds + 1):
            student = folder / f"round-{number:02d}"
            before, after = (jsonable(setting) for setting in settings[number - 1 : number + 1])
            wanted = {"round": number, "setting": after, "teacher": fingerprint(teacher), "teacher_setting": before}
            if student.is_dir():
                _refuse_other(student, wanted)
            else:
                self._round(number, settings, teacher, student, wanted)
            teacher = student
        return teacher

    def _round(self, number: int, settings: tuple[S, ...], teacher: Path, student: Path, wanted: Any) -> None:
        place = student.with_name(f".{student.name}")
        if _read(place / RECORD) != wanted:  # what lies there belongs to another teacher or setting
            (fresh_folder(place) / "work").mkdir()
            write_json(place / RECORD, wanted)
        filled = fresh_folder(place / "student")
        self.train(Round(number, settings[number - 1], settings[number], teacher, filled, place / "work"))
        fingerprint(filled)
        write_json(filled / RECORD, wanted)
        publish_folder(filled, student)
        remove(place)


def _refuse_other(student: Path, wanted: dict[str, Any]) -> None:
    found = _read(student / RECORD) or {}
    for key, value in wanted.items():
        if found.get(key) != value:
            raise ArtifactError(
                f"round {wanted['round']} was trained with another {key}", where=str(student),
                why=f"{canonical(found.get(key))} there, {canonical(value)} now",
                todo="Delete this round and those after it, or go back to what they were trained with",
            )  # fmt: skip


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
