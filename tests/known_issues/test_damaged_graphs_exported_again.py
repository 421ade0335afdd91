"""A voice with a damaged onnx graph was refused by the very command that writes the graphs anew."""

from __future__ import annotations

from pathlib import Path

import pytest

from speechkd.errors import ArtifactError
from speechkd.synthesis import load_voice
from speechkd.synthesis.export.voice import export_voice
from tests.synthesis.tiny import pack_kind


def test_the_voice_speaks_again(tmp_path: Path) -> None:
    pack_kind("samples", tmp_path / "voice", onnx=True)
    (tmp_path / "voice" / "encoder.onnx").write_bytes(b"half")
    (tmp_path / "voice" / "decoder.onnx").unlink()
    with pytest.raises(ArtifactError):
        load_voice(tmp_path / "voice", engine="onnx")
    export_voice(tmp_path / "voice")
    assert load_voice(tmp_path / "voice", engine="onnx").synthesize("Yes.").duration_s > 0
