"""A short training on synthetic speech with known times: it learns, it can be killed, and it is always the same."""

from __future__ import annotations

import logging
import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recipes.tts.common.corpora.mini import speak_mini_corpus
from recipes.tts.common.mas_training import train_aligner
from speechkd.align import Alignment, make_aligner, read_textgrid
from speechkd.align.mas.network import CONFIG, WEIGHTS
from speechkd.align.options import MasOptions
from speechkd.align.types import AlignInput
from speechkd.audio.io import read_audio, write_audio
from speechkd.errors import DataError
from speechkd.text import EnglishFrontend

LOG = logging.getLogger("test")
N_SENTENCES = 12
SHORT = MasOptions(steps=6, batch_frames=1000, channels=8)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("espeakng_loader")
    folder = tmp_path_factory.mktemp("corpus")
    speak_mini_corpus(folder, N_SENTENCES)
    return folder


@pytest.fixture(scope="module")
def utterances(corpus: Path) -> list[AlignInput]:
    frontend = EnglishFrontend()
    rows = [line.split("|") for line in (corpus / "metadata.csv").read_text(encoding="utf-8").splitlines()]
    return [AlignInput(id_, frontend.tokens(text), corpus / "wavs" / f"{id_}.wav", "espeak") for id_, text, _ in rows]


def weights(folder: Path) -> tuple[bytes, bytes]:
    return (folder / CONFIG).read_bytes(), (folder / WEIGHTS).read_bytes()


def boundary_errors_s(found: Alignment, reference: Alignment) -> list[float]:
    pairs = zip(found.words, reference.words, strict=True)
    return [abs(t) for a, b in pairs for t in (a.start_s - b.start_s, a.end_s - b.end_s)]


def uniform_errors_s(reference: Alignment) -> list[float]:
    """The errors of equally long phones between the true start and end of the speech."""
    spoken = reference.spoken_phones()
    times = np.linspace(spoken[0].start_s, spoken[-1].end_s, len(spoken) + 1)
    errors = []
    for word in reference.words:
        inside = [k for k, p in enumerate(spoken) if word.start_s <= (p.start_s + p.end_s) / 2 <= word.end_s]
        errors += [abs(times[inside[0]] - word.start_s), abs(times[inside[-1] + 1] - word.end_s)]
    return errors


def test_a_short_training_beats_even_durations_by_far(
    corpus: Path, utterances: list[AlignInput], tmp_path: Path
) -> None:
    options = MasOptions(steps=240, batch_frames=1500, channels=48)
    ready = options.model_copy(update={"model": train_aligner(options, utterances, tmp_path, 1, LOG)})
    learned: list[float] = []
    even: list[float] = []
    for each in utterances:
        audio = read_audio(each.audio_path)
        found = make_aligner(ready).align(audio.samples, audio.sample_rate, each.text_tokens)
        reference = read_textgrid(corpus / "TextGrid" / f"{each.id}.TextGrid")
        learned += boundary_errors_s(found, reference)
        even += uniform_errors_s(reference)
    assert np.mean(learned) < 0.3 * np.mean(even)
    assert np.median(learned) < 0.015


class _Kill(logging.Handler):
    """Asks this process to stop when a given step is logged."""

    def __init__(self, step: int) -> None:
        super().__init__()
        self.step = step

    def emit(self, record: logging.LogRecord) -> None:
        if f"step {self.step} of" in record.getMessage():
            os.kill(os.getpid(), signal.SIGTERM)


def test_a_run_that_was_stopped_ends_with_the_same_bytes(
    utterances: list[AlignInput], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = weights(train_aligner(SHORT, utterances, tmp_path / "whole", 1, LOG))
    log = logging.getLogger("killing")
    log.setLevel(logging.INFO)
    log.addHandler(_Kill(3))
    monkeypatch.setattr("recipes.tts.common.mas_training.train.LOG_EVERY_STEPS", 1)
    with pytest.raises(KeyboardInterrupt):
        train_aligner(SHORT, utterances, tmp_path / "stopped", 2, log)
    assert (tmp_path / "stopped" / "training" / "step-00000003").is_dir()
    assert not (tmp_path / "stopped" / "model").exists()
    assert weights(train_aligner(SHORT, utterances, tmp_path / "stopped", 2, LOG)) == whole


def test_a_finished_training_is_repeated_only_for_other_inputs(
    utterances: list[AlignInput], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def steps(options: MasOptions, inputs: list[AlignInput]) -> int:
        caplog.clear()
        with caplog.at_level(logging.INFO, "test"):
            train_aligner(options, inputs, tmp_path, 1, LOG)
        return sum(" of 6" in record.getMessage() for record in caplog.records)

    assert steps(SHORT, utterances) > 0
    assert steps(SHORT, utterances) == 0
    assert steps(SHORT.model_copy(update={"seed": 7}), utterances) > 0
    assert steps(SHORT.model_copy(update={"seed": 7}), utterances[:-1]) > 0


def test_what_cannot_be_used_is_logged_and_left_out(
    utterances: list[AlignInput], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    short = tmp_path / "short.wav"
    write_audio(short, np.ones(3000) * 0.1, 16000)
    unusable = [replace(utterances[0], id="short", audio_path=short), _missing(utterances[1], tmp_path)]
    with caplog.at_level(logging.WARNING, "test"):
        assert (train_aligner(SHORT, [*utterances[2:], *unusable], tmp_path / "a", 1, LOG) / WEIGHTS).is_file()
    told = {str(record.getMessage()).split(" ")[0] for record in caplog.records}
    assert told == {"short", "missing"}
    with pytest.raises(DataError, match="none of 2 utterances can be used"):
        train_aligner(SHORT, unusable, tmp_path / "b", 1, LOG)


def _missing(utterance: AlignInput, folder: Path) -> Any:
    return replace(utterance, id="missing", audio_path=folder / "nowhere.wav")
