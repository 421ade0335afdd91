"""Which voice speaks when none, or a name, is given."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from speechkd.cli.main import main
from speechkd.errors import UsageError
from speechkd.synthesis import find
from speechkd.synthesis.load import load_voice
from tests.synthesis.standin import STAND_INS, pack


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(find.VOICE_VARIABLE, raising=False)
    monkeypatch.setattr(find, "SHIPPED", tmp_path / "package")
    for age, name in ((20, "older"), (10, "newer")):
        pack(tmp_path / "exp" / name / "voice", name=name)
        os.utime(tmp_path / "exp" / name / "voice" / "voice.json", (1_700_000_000 - age,) * 2)
    return tmp_path


def ship(places: Path, *names: str) -> None:
    for name in names:
        pack(places / "package" / name, name=name)


def test_the_variable_then_the_package_then_the_newest(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert find.choose_voice(None) == Path("exp/newer/voice")
    ship(places, "ruth", "anna")
    assert find.choose_voice(None) == places / "package" / "anna"
    monkeypatch.setenv(find.VOICE_VARIABLE, "older")
    assert find.choose_voice(None) == Path("exp/older/voice")
    assert find.choose_voice("newer") == Path("exp/newer/voice")


def test_a_voice_loaded_without_a_path_is_the_chosen_one(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_voice(models=STAND_INS).name == "newer"
    ship(places, "anna")
    assert load_voice(models=STAND_INS).name == "anna"
    monkeypatch.setenv(find.VOICE_VARIABLE, "older")
    assert load_voice(models=STAND_INS).name == "older"


def test_a_name_is_looked_for_in_runs_and_in_the_package(places: Path) -> None:
    ship(places, "anna", "newer")
    assert find.choose_voice("anna") == places / "package" / "anna"
    assert find.choose_voice("newer") == Path("exp/newer/voice")
    with pytest.raises(UsageError, match="anna, newer, older"):
        find.choose_voice("nobody")


def test_a_broken_voice_of_the_package_is_passed_over(places: Path) -> None:
    ship(places, "anna")
    (places / "package" / "anna" / "voice.json").write_text("{}")
    assert find.choose_voice(None) == Path("exp/newer/voice")


def test_voices_lists_the_package_first_with_engines(places: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ship(places, "anna")
    assert main(["voices"]) == 0
    head, *rows = capsys.readouterr().out.splitlines()
    assert "engines" in head.split()
    assert [row.split()[0] for row in rows] == ["anna", "newer", "older"]
    assert " torch " in rows[0] and "onnx" not in rows[0]


def test_the_package_has_a_place_for_voices() -> None:
    import speechkd

    assert Path(speechkd.__file__).resolve().parent / "voices" == find.SHIPPED
