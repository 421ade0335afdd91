"""The voices that a server speaks with: read at its start, chosen by name alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from speechkd.errors import UsageError
from speechkd.serve.refusals import Refusal
from speechkd.synthesis.find import choose_voice, shipped_voices
from speechkd.synthesis.load import load_voice
from speechkd.synthesis.voice import Voice


class VoiceTable:
    """Voices by name; the first is spoken with unless another is named. No name of a client becomes a path."""

    def __init__(self, voices: Iterable[Voice]) -> None:
        self._voices: dict[str, Voice] = {}
        for voice in voices:
            if voice.name in self._voices:
                raise UsageError(f"two voices are called {voice.name!r}", todo="Serve one of them")
            self._voices[voice.name] = voice

    @property
    def names(self) -> tuple[str, ...]:
        """The names, the default one first."""
        return tuple(self._voices)

    def find(self, name: str | None) -> Voice:
        """The voice of that name, or the default one. Refusal (404) that names those there are."""
        if name is None:
            return self._voices[self.names[0]]
        if name not in self._voices:
            raise Refusal(404, "voice_not_found", f"the voices here are: {', '.join(self.names)}", "voice")
        return self._voices[name]

    def described(self) -> list[dict[str, Any]]:
        """What a client may know of each voice; no path is in it."""
        return [_described(voice) for voice in self._voices.values()]


def _described(voice: Voice) -> dict[str, Any]:
    manifest = voice.manifest
    return {
        "id": voice.name,
        "object": "voice",
        "name": voice.name,
        "language": manifest.language,
        "sample_rate": voice.sample_rate,
        "speakers": list(manifest.speakers),
        "controls": list(voice.controls),
        "steps": list(voice.step_counts),
        "licence": manifest.source.licence,
    }


def load_voices(wanted: Sequence[str], root: Path = Path("exp")) -> VoiceTable:
    """The voices of these names or folders; of none, all that came with the package, else the one at hand.

    Each computes in the thread that asks it: several requests are spoken at a time, not one by several threads.
    Raises what `load_voice` raises, and UsageError for two of one name.
    """
    folders = [choose_voice(name, root) for name in wanted] or [found.folder for found in shipped_voices()]
    return VoiceTable(_warmed(load_voice(folder, threads=1)) for folder in folders or [choose_voice(None, root)])


def _warmed(voice: Voice) -> Voice:
    """The voice itself, after it has said a word that no dictionary knows, and a number.

    What is loaded on first use is then loaded: the first client need not wait, and no request opens a file.
    """
    with suppress(UsageError):  # a language may find nothing to speak in it
        voice.synthesize("Zyxt 1.")
    return voice
