"""How a recipe names its vocoder. Importing this module does not import torch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationError

from speechkd.config import Config, ConfigPath
from speechkd.models.vocoder.istft_files import is_istft

COMMIT = r"^[0-9a-f]{40}$"
SHA256 = r"^[0-9a-f]{64}$"


class GriffinLimOptions(Config):
    """No weights at all."""

    type: Literal["griffinlim"] = "griffinlim"
    n_iter: int = Field(60, ge=1, le=1000)


class HifiGanOptions(Config):
    """A published HiFi-GAN generator: a file or folder here (`path`), or files of a hub repository.

    `hub` needs `revision`, the full 40-digit commit, and `sha256`, the digest of every file to fetch by its name.
    """

    type: Literal["hifigan"] = "hifigan"
    path: ConfigPath | None = None
    hub: str | None = Field(None, pattern=r"^[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*$")
    revision: str | None = Field(None, pattern=COMMIT)
    sha256: dict[str, Annotated[str, Field(pattern=SHA256)]] = Field(default_factory=dict)

    def problems(self) -> Iterable[tuple[str, str]]:
        """Exactly one source, and a hub source pinned by commit and digests."""
        if (self.path is None) == (self.hub is None):
            yield "", "give either path (a checkpoint or its folder) or hub (a repository)"
        if self.hub is not None and self.revision is None:
            yield "revision", "hub needs the 40-digit commit: a branch can change under you"
        if self.hub is not None and not self.sha256:
            yield "sha256", "hub needs the SHA-256 of each file to fetch, by file name"
        if self.hub is None and (self.revision is not None or self.sha256):
            yield "hub", "revision and sha256 belong to a hub repository, and none is given"


class IstftOptions(Config):
    """An inverse-STFT vocoder: the folder that its recipe made, or the file with weights in it."""

    type: Literal["istft"] = "istft"
    path: ConfigPath


def _fill_type(value: Any) -> Any:
    """Where `type` is not written, what the other keys can only mean: `vocoder.path=…` alone is enough."""
    if not isinstance(value, Mapping) or "type" in value:
        return value
    return {**value, "type": _kind_of(value)}


def _kind_of(value: Mapping[str, Any]) -> str:
    if not set(value) & set(_HIFIGAN_KEYS):
        return "griffinlim"
    if set(value) == {"path"} and value["path"]:
        try:
            path = IstftOptions.model_validate(value).path
        except ValidationError:
            return "hifigan"  # whose own check says what is wrong with the path
        return "istft" if is_istft(path) else "hifigan"
    return "hifigan"


_HIFIGAN_KEYS = ("path", "hub", "revision", "sha256")

VocoderOptions = Annotated[
    GriffinLimOptions | HifiGanOptions | IstftOptions, Field(discriminator="type"), BeforeValidator(_fill_type)
]
