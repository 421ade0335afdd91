"""voice.json: what a voice is made of, and the digest of every file beside it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from speechkd.errors import ArtifactError
from speechkd.models.vocoder.config import HifiGanConfig, MelShape
from speechkd.runner.digests import file_digest

FORMAT = 1
MANIFEST_NAME = "voice.json"
ACOUSTIC_NAME = "acoustic.safetensors"
VOCODER_NAME = "vocoder.safetensors"
SYMBOLS_NAME = "symbols.json"
LEXICON_NAME = "lexicon.txt"
CARD_NAME = "card.md"
ALWAYS_THERE = (ACOUSTIC_NAME, SYMBOLS_NAME, LEXICON_NAME, CARD_NAME)
_AGAIN = "Pack the voice again, or copy the whole folder again"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


class AcousticPart(_Part):
    """The acoustic model: which one, and the numbers it is built from."""

    model: str
    config: dict[str, Any]


class GriffinLimPart(_Part):
    """A voice that speaks through Griffin-Lim, without weights."""

    type: Literal["griffinlim"] = "griffinlim"
    n_iter: int = Field(ge=1)


class HifiGanPart(_Part):
    """A voice with a HiFi-GAN generator."""

    type: Literal["hifigan"] = "hifigan"
    config: HifiGanConfig
    level_db: float = 0.0


class NoVocoderPart(_Part):
    """A voice whose model makes the samples itself."""

    type: Literal["none"] = "none"


class MelPart(_Part):
    """The mel spectrogram between the two models: the preset's name, and its numbers at the time of packing."""

    preset: str
    shape: MelShape


class VoiceSource(_Part):
    """Where a voice comes from, for people."""

    recipe: str = ""
    corpus: str = ""
    licence: str = ""
    vocoder: str = ""


class VoiceManifest(_Part):
    """The content of voice.json. `files`: name to SHA-256 of every other file of the folder."""

    format: Literal[1] = 1
    name: str = Field(min_length=1)
    language: str
    day_first: bool = False
    sample_rate: int = Field(gt=0)
    mel: MelPart
    acoustic: AcousticPart
    vocoder: Annotated[GriffinLimPart | HifiGanPart | NoVocoderPart, Field(discriminator="type")]
    source: VoiceSource
    files: dict[str, Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]]

    @property
    def speakers(self) -> tuple[str, ...]:
        """The names of its speakers; empty for a voice of one."""
        config = self.acoustic.config
        trunk = config.get("trunk")
        names = config.get("speakers") or (trunk.get("speakers") if isinstance(trunk, dict) else None) or ()
        return tuple(map(str, names)) if len(names) > 1 else ()

    def to_text(self) -> str:
        """The bytes of voice.json: sorted keys, two spaces, a final newline."""
        return json.dumps(self.model_dump(mode="json"), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def read_manifest(folder: Path) -> VoiceManifest:
    """The typed content of a voice folder's voice.json. Raises ArtifactError; the other files are not looked at."""
    path = folder / MANIFEST_NAME
    if not path.is_file():
        why = f"there is no {MANIFEST_NAME} in it" if folder.is_dir() else "the folder does not exist"
        raise ArtifactError("not a voice", where=str(folder), why=why, todo="Give the folder that a pack stage wrote")
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ArtifactError("the voice cannot be read", where=str(path), why=str(error), todo=_AGAIN) from error
    found = raw.get("format") if isinstance(raw, dict) else None
    if found != FORMAT:
        todo = "Update speechkd, or pack the voice again with this version"
        raise ArtifactError(
            "unknown voice format", where=str(path), why=f"format is {found!r}, this version reads {FORMAT}", todo=todo
        )
    try:
        return VoiceManifest.model_validate(raw)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        why = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
        raise ArtifactError("the voice's description is wrong", where=str(path), why=why, todo=_AGAIN) from error


def verify_files(folder: Path, manifest: VoiceManifest) -> None:
    """Check that every file of the voice is there and unchanged; ArtifactError names the first that is not."""
    wanted = [*ALWAYS_THERE, *([VOCODER_NAME] if isinstance(manifest.vocoder, HifiGanPart) else [])]
    for name in sorted({*wanted, *manifest.files}):
        path = folder / name
        if Path(name).name != name or name not in manifest.files:
            why = "it is no plain file name" if name in manifest.files else f"{name} has no digest"
            raise ArtifactError(f"{MANIFEST_NAME} is wrong about {name!r}", where=str(folder), why=why, todo=_AGAIN)
        if not path.is_file():
            raise ArtifactError("a file of the voice is missing", where=str(path), todo=_AGAIN)
        if file_digest(path) != manifest.files[name]:
            why = "its SHA-256 is not the one in voice.json: the file is incomplete or was changed"
            raise ArtifactError("a file of the voice is damaged", where=str(path), why=why, todo=_AGAIN)
