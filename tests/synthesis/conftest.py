"""Voices that several test files share: exporting one takes seconds."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.synthesis.tiny import pack_kind


class Exported(dict[str, Path]):
    """A folder per kind, made when it is first asked for."""

    def __init__(self, root: Path) -> None:
        super().__init__()
        self.root = root

    def __missing__(self, kind: str) -> Path:
        pack_kind(kind, self.root / kind, onnx=True)
        self[kind] = self.root / kind
        return self[kind]


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Voices with weights and onnx graphs by kind: never to be written to."""
    return Exported(tmp_path_factory.mktemp("exported"))
