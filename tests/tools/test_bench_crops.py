"""The benchmark of mouth crops counts what it crops."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from tests.features.mouth.films import grey_steps, write_film
from tools.bench import main


def test_films_are_timed_and_lost_faces_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Faces are found in all but the first frame."""

    def faces(self: object, frame: np.ndarray) -> np.ndarray:
        return np.array([[10.0, 5.0, 30.0, 30.0]])[: int(frame.mean() > 50)]

    monkeypatch.setattr("speechkd.features.mouth.tracking.HaarFaces.faces", faces)
    films = [write_film(tmp_path / name, grey_steps(n)) for name, n in (("a.avi", 20), ("b.avi", 30))]
    assert main(["crops", *map(str, films)]) == 0
    printed = capsys.readouterr().out
    assert "a.avi: no face in frames 0-8 (9 of 20)\nb.avi: no face in frames 0-8 (9 of 30)\n" in printed
    assert "2 films, 2.0 s, 50 crops, one thread" in printed
    speed = dict(re.findall(r"^(\w+) +([\d,.]+) times real time", printed, re.M))
    assert list(speed) == ["read", "track", "crop", "together", "target"]
    assert all(float(value.replace(",", "")) > 0 for value in speed.values())
    assert "times real time by CPU time: " in printed.splitlines()[-1]
