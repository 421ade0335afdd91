"""voice.json: what a voice is made of, and the digest of every file beside it."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from speechkd.errors import ArtifactError
from speechkd.models.vocoder.config import HifiGanConfig, MelShape
from speechkd.models.vocoder.istft_config import IstftConfig
from speechkd.runner.digests import file_digest

FORMAT = 1
MANIFEST_NAME = "voice.json"
ACOUSTIC_NAME = "acoustic.safetensors"
VOCODER_NAME = "vocoder.safetensors"
SYMBOLS_NAME = "symbols.json"
LEXICON_NAME = "lexicon.txt"
CARD_NAME = "card.md"
ENCODER_ONNX, DECODER_ONNX, VOCODER_ONNX = "encoder.onnx", "decoder.onnx", "vocoder.onnx"
ONNX_NAMES = (ENCODER_ONNX, DECODER_ONNX, VOCODER_ONNX)
ALWAYS_THERE = (SYMBOLS_NAME, LEXICON_NAME, CARD_NAME)
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


class IstftPart(_Part):
    """A voice with an inverse-STFT vocoder."""

    type: Literal["istft"] = "istft"
    config: IstftConfig
    level_db: float = 0.0


class NoVocoderPart(_Part):
    """A voice whose model makes the samples itself."""

    type: Literal["none"] = "none"


class OnnxPart(_Part):
    """The networks as onnx graphs beside the weights or instead of them, and what runs between the graphs.

    `silent_ids`: tokens that may last no frame, all others last at least one; None: any token may, as long as the
    utterance has a frame. `weights`: how the graphs store theirs.
    """

    controls: tuple[Literal["speed", "pitch", "energy"], ...]
    silent_ids: tuple[int, ...] | None
    weights: Literal["float32", "int8"] = "float32"


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
    vocoder: Annotated[GriffinLimPart | HifiGanPart | IstftPart | NoVocoderPart, Field(discriminator="type")]
    onnx: OnnxPart | None = None
    source: VoiceSource
    files: dict[str, Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]]

    @property
    def speaker_names(self) -> tuple[str, ...]:
        """The names of its speakers, also where there is one; empty where they have none."""
        config = self.acoustic.config
        trunk = config.get("trunk")
        names = config.get("speakers") or (trunk.get("speakers") if isinstance(trunk, dict) else None)
        # What the model is built from is checked by the model alone, when it is loaded.
        return tuple(map(str, names)) if isinstance(names, (list, tuple)) else ()

    @property
    def speakers(self) -> tuple[str, ...]:
        """The names of its speakers; empty for a voice of one."""
        return self.speaker_names if len(self.speaker_names) > 1 else ()

    @property
    def has_weights(self) -> bool:
        """Whether the networks are there as weights for torch."""
        return self.onnx is None or ACOUSTIC_NAME in self.files

    @property
    def engines(self) -> tuple[str, ...]:
        """The engines that the voice has files for, the one that is taken unless named first."""
        there = (("onnx", self.onnx is not None), ("torch", self.has_weights))
        return tuple(name for name, has_files in there if has_files)

    def weight_files(self) -> tuple[str, ...]:
        """The files that hold the networks for torch."""
        return (ACOUSTIC_NAME, *([VOCODER_NAME] if isinstance(self.vocoder, (HifiGanPart, IstftPart)) else []))

    def onnx_files(self) -> tuple[str, ...]:
        """The files that hold the networks as onnx graphs; none where the voice has none."""
        if self.onnx is None:
            return ()
        return ONNX_NAMES[:2] if isinstance(self.vocoder, NoVocoderPart) else ONNX_NAMES

    def to_text(self) -> str:
        """The bytes of voice.json: sorted keys, two spaces, a final newline."""
        # A voice without graphs looks as it did before there were any.
        plain = self.model_dump(mode="json", exclude={"onnx"} if self.onnx is None else None)
        return json.dumps(plain, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def read_manifest(folder: Path) -> VoiceManifest:
    """The typed content of a voice folder's voice.json. Raises ArtifactError; the other files are not looked at."""
    path = folder / MANIFEST_NAME
    if not path.is_file():
        why = f"there is no {MANIFEST_NAME} in it" if folder.is_dir() else "the folder does not exist"
        raise ArtifactError("not a voice", where=str(folder), why=why, todo="Give the folder that a pack stage wrote")
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
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


def verify_files(folder: Path, manifest: VoiceManifest, read: Collection[str] | None = None) -> None:
    """Check that every file of the voice is there and unchanged; ArtifactError names the first that is not.

    `read`: of the files that hold networks, those that are going to be read; the others need only be there.
    """
    networks = {*(manifest.weight_files() if manifest.has_weights else ()), *manifest.onnx_files()}
    for name in sorted({*ALWAYS_THERE, *networks, *manifest.files}):
        path = folder / name
        if Path(name).name != name or name not in manifest.files:
            why = "it is no plain file name" if name in manifest.files else f"{name} has no digest"
            raise ArtifactError(f"{MANIFEST_NAME} is wrong about {name!r}", where=str(folder), why=why, todo=_AGAIN)
        if not path.is_file():
            raise ArtifactError("a file of the voice is missing", where=str(path), todo=_AGAIN)
        skipped = read is not None and name in networks and name not in read
        if not skipped and file_digest(path) != manifest.files[name]:
            why = "its SHA-256 is not the one in voice.json: the file is incomplete or was changed"
            raise ArtifactError("a file of the voice is damaged", where=str(path), why=why, todo=_AGAIN)
