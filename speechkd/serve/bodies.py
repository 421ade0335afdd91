"""What the two routes that speak read: typed, checked, unknown fields refused."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from speechkd.config.model import Config
from speechkd.synthesis.controls import RANGES, SEEDS
from speechkd.text.line import Prosody

_Name = Annotated[str, Field(max_length=200)]
# Strict: true is no number, and neither is "1".
Speed = Annotated[float, Field(strict=True, ge=RANGES["speed"].low, le=RANGES["speed"].high)]
Pitch = Annotated[float, Field(strict=True, ge=RANGES["pitch"].low, le=RANGES["pitch"].high)]
Energy = Annotated[float, Field(strict=True, ge=RANGES["energy"].low, le=RANGES["energy"].high)]
Volume = Annotated[float, Field(strict=True, ge=RANGES["volume"].low, le=RANGES["volume"].high)]
Pauses = Annotated[float, Field(strict=True, ge=RANGES["pauses"].low, le=RANGES["pauses"].high)]
Seed = Annotated[int, Field(strict=True, ge=0, lt=SEEDS)]
Steps = Annotated[int, Field(strict=True, ge=1)]
Switch = Annotated[bool, Field(strict=True)]


#: More changes than a text of the longest length has phones.
_MOST_CHANGES = 100_000


class PhoneChange(Config):
    """Another length or pitch of one phone: `index` counts the phones of the text, pauses left out."""

    index: Annotated[int, Field(strict=True, ge=0)]
    duration: Annotated[float, Field(strict=True, ge=0.25, le=4.0)] = 1.0
    pitch: Pitch = 0.0


class OpenAiVoice(Config):
    """The voice as newer clients may name it."""

    id: _Name


class OpenAiSpeech(Config):
    """The body of `POST /v1/audio/speech`."""

    model: _Name
    input: str
    voice: _Name | OpenAiVoice
    response_format: _Name = "mp3"
    speed: Speed = 1.0
    stream_format: Literal["audio", "sse"] | None = None
    instructions: str | None = None

    @property
    def voice_name(self) -> str:
        """The voice's name, in whichever way it was given."""
        return self.voice if isinstance(self.voice, str) else self.voice.id


class Synthesis(Config):
    """The body of `POST /synthesize`: a text or an SSML document, and all controls."""

    text: str | None = None
    ssml: str | None = None
    voice: _Name | None = None
    speaker: _Name | None = None
    speed: Speed = 1.0
    pitch: Pitch = 0.0
    energy: Energy = 1.0
    volume: Volume = 1.0
    pauses: Pauses = 1.0
    seed: Seed = 0
    steps: Steps | None = None
    format: _Name = "wav"
    stream: Switch = False
    timestamps: Switch = False
    phones: Annotated[tuple[PhoneChange, ...], Field(max_length=_MOST_CHANGES)] = ()

    def changes(self) -> dict[int, Prosody]:
        """The phones that are to be said otherwise, as `Voice.say` takes them; of two for one phone the last counts."""
        return {change.index: Prosody(rate=1.0 / change.duration, pitch=change.pitch) for change in self.phones}
