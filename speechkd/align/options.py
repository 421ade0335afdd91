"""Configuration of the aligners, told apart by `backend`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from speechkd.config import Config, ConfigPath

#: pocketsphinx stamps a frame at the start of its 25.6 ms window, so its boundaries sit early: by 14.7 ms on average
#: against MFA (9,496 word boundaries of 281 LJSpeech clips, MFA's pronunciations given to both; half of the clips alone
#: say 14.1, the other half 15.3) and by 5.0 ms against the phone ends that four flite voices report of their own speech
#: (5,280 boundaries). 10 ms lies between the two and is where the mean error against MFA is least on both halves:
#: 18.5 and 19.4 ms, as against 22.2 and 23.2 ms without offset.
DEFAULT_OFFSET_S = 0.010


class PocketsphinxOptions(Config):
    """Forced alignment by the US English model inside the pocketsphinx wheel: no download, no training."""

    backend: Literal["pocketsphinx"] = "pocketsphinx"
    #: Search beams. The decoder's own defaults lose many utterances of synthetic or quiet speech.
    beam: float = Field(1e-200, gt=0, lt=1)
    wbeam: float = Field(1e-150, gt=0, lt=1)
    pbeam: float = Field(1e-200, gt=0, lt=1)
    #: Added to every boundary inside the recording.
    offset_s: float = Field(DEFAULT_OFFSET_S, ge=-0.025, le=0.025)


class GivenOptions(Config):
    """Alignments that the user brings: `folder` holds one `<utterance id>.TextGrid` each (as MFA writes them)."""

    backend: Literal["given"] = "given"
    folder: ConfigPath


class MfaOptions(Config):
    """The Montreal Forced Aligner, an external program (conda): it sees the whole corpus before any utterance."""

    backend: Literal["mfa"] = "mfa"


class MasOptions(Config):
    """A small aligner that is trained on the corpus itself: no dictionary of sounds, no acoustic model, any language."""

    backend: Literal["mas"] = "mas"
    #: A trained aligner; absent: it is trained on the corpus first.
    model: ConfigPath | None = None


class AttentionOptions(Config):
    """The attention of an autoregressive teacher, stored per utterance in `folder`."""

    backend: Literal["attention"] = "attention"
    folder: ConfigPath


AlignOptions = Annotated[
    PocketsphinxOptions | GivenOptions | MfaOptions | MasOptions | AttentionOptions, Field(discriminator="backend")
]
