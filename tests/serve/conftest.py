"""What the tests of the server share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from speechkd.serve.voices import VoiceTable, load_voices
from speechkd.synthesis.find import shipped_voices
from tests.serve.running import Running, serving


@pytest.fixture(scope="session")
def voices() -> VoiceTable:
    """The voice of the package."""
    return load_voices([str(found.folder) for found in shipped_voices()])


@pytest.fixture(scope="session")
def server(voices: VoiceTable) -> Iterator[Running]:
    """A server with that voice and the limits that it comes with."""
    with serving(voices) as running:
        yield running
