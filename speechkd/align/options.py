"""Configuration of the aligners, told apart by `backend`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import Field

from speechkd.config import Config, ConfigPath


class PocketsphinxOptions(Config):
    """Forced alignment by the US English model inside the pocketsphinx wheel: no download, no training."""

    backend: Literal["pocketsphinx"] = "pocketsphinx"
    #: Search beams. The decoder's own defaults lose many utterances of synthetic or quiet speech.
    beam: float = Field(1e-200, gt=0, lt=1)
    wbeam: float = Field(1e-150, gt=0, lt=1)
    pbeam: float = Field(1e-200, gt=0, lt=1)
    #: Whether the boundary network searches again around the words that pocketsphinx found.
    refine: bool = True
    #: An utterance whose sound fits its text worse than this is refused: the mean natural logarithm of its phones'
    #: posteriors. Read speech stays well above it with its own text, and far below it with another utterance's.
    min_fit: float = Field(-3.0, le=0)
    #: Added to every boundary inside the recording.
    offset_s: float = Field(0.0, ge=-0.025, le=0.025)


class GivenOptions(Config):
    """Alignments that the user brings in `folder`: TextGrids, as MFA writes them, or numbers of frames.

    Per utterance the first that is there: `<id>.TextGrid` (also one folder down, by speaker), `<id>.json`, `<id>.npy`,
    or a line of `durations.jsonl`. See `speechkd.align.given_durations` for the forms of durations.
    """

    backend: Literal["given"] = "given"
    folder: ConfigPath
    pronunciations: Literal["adopt", "refuse"] = Field(
        "adopt", description="phones other than the text's: take them as what is said, or refuse the utterance"
    )
    unit: Literal["frames", "seconds"] = Field("frames", description="of durations in files that do not say it")
    hop_s: float | None = Field(None, gt=0, le=0.1, description="seconds per frame, where the file does not say it")


class MfaOptions(Config):
    """The Montreal Forced Aligner, an external program (conda): it sees the whole corpus before any utterance."""

    backend: Literal["mfa"] = "mfa"
    executable: str = Field("mfa", min_length=1, description="name on PATH, path of the program, or its conda env")
    acoustic_model: str = Field("english_us_arpa", min_length=1, description="name of a downloaded model, or its file")
    train: bool = Field(False, description="train an acoustic model on the corpus instead (hours of speech are needed)")
    variants: bool = Field(True, description="offer every listed pronunciation of a word, not only the first")
    speaker_adaptation: bool = Field(
        True, description="false: --single_speaker, which splits one speaker over all jobs"
    )
    config: ConfigPath | None = Field(
        None, description="MFA's own configuration file (--config_path), e.g. with a beam"
    )
    timeout_h: float = Field(48.0, gt=0, description="give up after this many hours")

    def problems(self) -> Iterable[tuple[str, str]]:
        """A model with other phones than the lexicon's would be refused by MFA only after the export."""
        if not self.train and self.acoustic_model.endswith("_mfa"):
            yield "acoustic_model", f"{self.acoustic_model} has IPA phones, the lexicon ARPAbet: use english_us_arpa"


class MasOptions(Config):
    """A small aligner trained on the corpus itself: no acoustic model is needed, hence any language."""

    backend: Literal["mas"] = "mas"
    #: A trained aligner; absent: it is trained on the corpus first.
    model: ConfigPath | None = None
    steps: int = Field(1200, ge=1, description="optimiser steps of its training")
    batch_frames: int = Field(6000, ge=100, description="frames of 10 ms per step, padding included")
    learning_rate: float = Field(2e-3, gt=0)
    channels: int = Field(128, ge=8, description="width of the network")
    seed: int = Field(1234, ge=0)


class AttentionOptions(Config):
    """The attention of an autoregressive teacher, stored per utterance in `folder` as `<id>.safetensors`."""

    backend: Literal["attention"] = "attention"
    folder: ConfigPath
    method: Literal["argmax", "monotone"] = Field(
        "argmax", description="frames go to the token they attend to most (FastSpeech), or to the best monotone path"
    )
    min_frames: int = Field(0, ge=0, le=1, description="least frames of a token on the monotone path")
    min_focus_rate: float = Field(0.5, ge=0, le=1, description="utterances whose focus rate is lower fail")
    head_utterances: int = Field(200, ge=1, description="the head is chosen over the first so many ids")
    hop_s: float | None = Field(None, gt=0, le=0.1, description="seconds per frame, where the file does not say it")


AlignOptions = Annotated[
    PocketsphinxOptions | GivenOptions | MfaOptions | MasOptions | AttentionOptions, Field(discriminator="backend")
]
