"""What the shared stages can be told; each recipe adds its model and its training."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field

from speechkd.align.options import AlignOptions, PocketsphinxOptions
from speechkd.audio.presets import MEL_PRESETS
from speechkd.config import Config, ConfigPath
from speechkd.models.vocoder.files import vocoder_problem
from speechkd.models.vocoder.options import GriffinLimOptions, VocoderOptions
from speechkd.text import is_english


class RunSection(Config):
    """Where the run's artifacts go."""

    dir: ConfigPath = Field(description="folder of the run; created if absent")
    max_errors: int = Field(0, ge=0, description="utterances that may fail in a stage before the stage fails")
    base: ConfigPath | None = Field(
        None, description="another run's folder: stages that it has finished with the same inputs are taken over"
    )


class CorpusSection(Config):
    """The recordings."""

    name: str = Field(description="mini (spoken on the spot), one of `speechkd data list`, or any name for your folder")
    dir: ConfigPath | None = Field(None, description="folder of the corpus; absent: downloaded if known")
    options: dict[str, str] = Field({}, description="choices of the corpus's reader (see: speechkd data layout NAME)")
    title: str = Field("", description="the corpus in words, for tables and cards")
    speaker: str = Field("", description="who speaks")
    licence: str = Field("", description="licence of the recordings")
    limit: int = Field(0, ge=0, description="use only this many utterances (by id); 0 uses all")

    def problems(self) -> Iterable[tuple[str, str]]:
        """The mini corpus is made, not read; a reader knows its options."""
        from recipes.tts.common.corpora import corpus_kind

        known = corpus_kind(self.name).options
        for option in sorted(set(self.options) - set(known)):
            yield f"options.{option}", f"corpus {self.name} has no such option; it has: {', '.join(known) or 'none'}"
        if self.name == "mini" and self.dir is not None:
            yield "dir", "the mini corpus is spoken on the spot and has no folder; give your corpus another name"


class SplitSection(Config):
    """Held-out utterances; utterances with the same words are always on the same side."""

    by: Literal["sentence", "speaker", "official"] = Field(
        "sentence",
        description="speaker: held-out utterances are of voices that training never hears; official: as published",
    )
    speakers: int = Field(1, ge=1, description="voices for valid, and for test, when split by speaker")
    valid: int = Field(16, ge=1, description="utterances for choosing the best weights")
    test: int = Field(32, ge=1, description="utterances for the results table")
    seed: int = Field(0, ge=0)


class TextSection(Config):
    """From text to tokens."""

    language: str = Field(
        "en-us",
        pattern=r"^[a-z]{2,3}(-[a-z0-9-]+)*$",
        description="en-us, or a language by espeak-ng's name (de, fr, es), whose phones are then espeak-ng's",
    )
    day_first: bool = Field(False, description="03/04/2026 is the third of April")
    lexicon: ConfigPath | None = Field(None, description="your own pronunciations, one `WORD  PH ON ES` per line")

    def problems(self) -> Iterable[tuple[str, str]]:
        """espeak-ng pronounces the words of the languages that it reads."""
        if not is_english(self.language) and self.lexicon is not None:
            yield "lexicon", f"the language {self.language} takes no lexicon: espeak-ng pronounces its words"


def _known_preset(name: Any) -> Any:
    if not isinstance(name, str) or name not in MEL_PRESETS:
        raise ValueError(f"should be the name of a mel preset ({', '.join(sorted(MEL_PRESETS))})")
    return name


class MelSection(Config):
    """How recordings are brought to one level and turned into mels."""

    hints: ClassVar[dict[str, str]] = dict.fromkeys(
        ("hop_samples", "hop_length", "hop_size", "n_fft", "win_samples", "win_length", "n_mels", "sample_rate"),
        "the mel preset fixes it; choose one with audio.mel",
    )

    mel: Annotated[str, BeforeValidator(_known_preset)] = Field(
        "hifigan_22k", description="name of the mel preset; must be the vocoder's"
    )
    loudness_dbfs: float | None = Field(-20.0, le=-10, ge=-50, description="speech level; null leaves recordings alone")


class AudioSection(MelSection):
    """The same, and how loud the vocoder hears mels."""

    vocoder_level_db: float = Field(
        0.0, ge=-40, le=40, description="HiFi-GAN is fed mels shifted by this, and its samples are shifted back"
    )


class FeaturesSection(Config):
    """What is extracted beside the mel."""

    f0: Literal["dio", "harvest"] = Field("dio", description="WORLD's pitch tracker; StoneMask refines either")


class ScoreSection(Config):
    """What is measured on the held-out utterances."""

    recogniser: bool = Field(True, description="word errors of the pocketsphinx recogniser, as a rough intelligibility")
    listen_to: Literal["all", "predicted"] = Field(
        "all",
        description="predicted: the recogniser hears fully predicted speech alone, not recordings and copies, which "
        "are the same for all systems of a corpus; it is the slowest part of a short run",
    )


class PackSection(Config):
    """The packed voice."""

    name: str = Field(pattern=r"^[A-Za-z0-9._-]{1,64}$", description="the voice's name")
    onnx: bool = Field(False, description="with onnx graphs beside the weights: the voice then speaks without torch")
    int8: bool = Field(False, description="with pack.onnx: 8-bit matrices in the mel decoder")
    half: bool = Field(False, description="weights in half precision: half the room, rounded")

    def problems(self) -> Iterable[tuple[str, str]]:
        """Graphs that are not asked for."""
        if self.int8 and not self.onnx:
            yield "int8", "is for onnx graphs: set onnx as well"


class Reference(Config):
    """A row that was not measured by this run: somebody's published or reported figures."""

    label: str
    budget: str = ""
    mcd_dtw_db: float | None = None
    f0_rmse_cents: float | None = None
    voicing_error: float | None = None
    duration_mae_ms: float | None = None
    word_error_rate: float | None = None


class ResultsSection(Config):
    """Where the results row goes besides the run folder."""

    table: ConfigPath | None = Field(None, description="a RESULTS.md to keep a row in")
    label: str = Field("run", description="what this row is, in a few words")
    conf: str = Field("fastspeech2", description="this configuration's name for run.sh, shown in the table")
    references: tuple[Reference, ...] = Field((), description="rows to compare with, told apart as given")


class TtsConfig(Config):
    """The sections that every text-to-speech recipe has."""

    recipe: str
    run: RunSection
    corpus: CorpusSection
    split: SplitSection = SplitSection()
    text: TextSection = TextSection()
    audio: AudioSection = AudioSection()
    align: AlignOptions = PocketsphinxOptions()
    features: FeaturesSection = FeaturesSection()
    vocoder: VocoderOptions = GriffinLimOptions()
    score: ScoreSection = ScoreSection()
    pack: PackSection
    results: ResultsSection = ResultsSection()

    def problems(self) -> Iterable[tuple[str, str]]:
        """What cannot work together: said before the training, not after it."""
        if not is_english(self.text.language) and self.align.backend in ("pocketsphinx", "mfa"):
            yield (
                "align.backend",
                f"{self.align.backend} hears English only; for {self.text.language} choose mas or given",
            )
        if self.pack.onnx:
            yield from onnx_problems(self.recipe, self.vocoder)
        if self.vocoder.type != "griffinlim" and self.vocoder.path is not None:
            problem = vocoder_problem(self.vocoder.path, MEL_PRESETS[self.audio.mel])
            if problem:
                yield "vocoder.path", problem


def onnx_problems(recipe: str, vocoder: VocoderOptions) -> Iterable[tuple[str, str]]:
    """Why a recipe's voice cannot have onnx graphs."""
    kind = recipe.rpartition("/")[2]
    if kind == "transformer":
        yield "pack.onnx", "a model that makes one frame after the other has no onnx form"
    elif kind == "prodiff":
        yield "pack.onnx", "a model that denoises in steps has no onnx form"
    elif kind != "fastspeech2s" and vocoder.type == "griffinlim":
        yield "pack.onnx", "Griffin-Lim has no onnx form; choose a neural vocoder"
