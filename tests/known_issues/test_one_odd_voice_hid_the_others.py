"""One voice.json that nests too deep, or whose speakers are no list, ended the list of all voices."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from speechkd.cli.main import main
from tests.synthesis.tiny import pack_kind


def test_the_others_are_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pack_kind("samples", tmp_path / "good" / "voice", name="listed")
    manifest = tmp_path / "good" / "voice" / "voice.json"
    odd = json.loads(manifest.read_text(encoding="utf-8")) | {"name": "odd"}
    odd["acoustic"]["config"] |= {"speakers": 5}
    for name, text in (("deep", "[" * 100_000), ("odd", json.dumps(odd))):
        (tmp_path / name / "voice").mkdir(parents=True)
        (tmp_path / name / "voice" / "voice.json").write_text(text, encoding="utf-8")
    assert main(["voices", "--root", str(tmp_path)]) == 0
    told = capsys.readouterr().out
    assert "listed" in told and "odd" in told and "(unreadable)" in told
