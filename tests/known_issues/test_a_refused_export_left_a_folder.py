"""An export that was refused left a folder of files behind, and the next one was refused because of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from speechkd.errors import ConfigError
from speechkd.models.vocoder.griffinlim import GriffinLim
from speechkd.synthesis.export.voice import export_voice
from tests.synthesis.tiny import PRESET, fastspeech, pack_tiny


def test_nothing_is_written(tmp_path: Path) -> None:
    pack_tiny(tmp_path / "voice", fastspeech(), GriffinLim(PRESET, 2))
    with pytest.raises(ConfigError, match="Griffin-Lim has no onnx form"):
        export_voice(tmp_path / "voice", tmp_path / "made")
    assert not (tmp_path / "made").exists()
