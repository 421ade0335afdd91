"""What `MasAligner` promises, whatever its network has learned."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from speechkd.align import make_aligner, token_durations
from speechkd.align.mas import MasAligner
from speechkd.align.mas.graph import Inventory
from speechkd.align.mas.network import NetworkSize, StateClassifier, save_network
from speechkd.align.options import MasOptions
from speechkd.align.respell import respelled
from speechkd.errors import ArtifactError, DataError, UsageError
from speechkd.text.tokens import Word, lay_out

RATE = 22050
WORDS = (Word("the", ("DH", "AH0"), "lexicon", (("DH", "IY0"),)), Word("ox", ("AA1", "K", "S"), "lexicon"))
TOKENS = lay_out(WORDS, ["|", "."])


@pytest.fixture(scope="module")
def options(tmp_path_factory: pytest.TempPathFactory) -> MasOptions:
    """An aligner with weights by chance."""
    folder = tmp_path_factory.mktemp("aligner")
    torch.manual_seed(5)
    network = StateClassifier(Inventory.of([TOKENS]), NetworkSize(channels=8))
    torch.nn.init.normal_(network.out.weight)
    save_network(folder, network)
    return MasOptions(model=folder)


def noise(duration_s: float, seed: int = 0) -> np.ndarray:
    samples = np.random.default_rng(seed).normal(0, 0.1, round(duration_s * RATE))
    return (samples * np.linspace(0.01, 1, len(samples))).astype(np.float32)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("duration_s", [0.2, 0.6034, 1.7])
def test_the_phones_cover_the_recording_and_are_those_of_the_text(
    options: MasOptions, seed: int, duration_s: float
) -> None:
    samples = noise(duration_s, seed)
    alignment = make_aligner(options).align(samples, RATE, TOKENS)
    assert list(alignment.problems()) == []
    assert alignment.duration_s == pytest.approx(len(samples) / RATE)
    assert all(phone.duration_s > 0.0299 for phone in alignment.spoken_phones())
    assert [word.label for word in alignment.words] == ["the", "ox"]
    said = [phone.label for phone in alignment.spoken_phones()]
    assert said[:2] in (["DH", "AH0"], ["DH", "IY0"]) and said[2:] == ["AA1", "K", "S"]
    tokens = respelled(TOKENS, alignment)
    n_frames = len(samples) // 256
    durations = token_durations(alignment, tokens, n_frames, 256 / RATE)
    assert durations.sum() == n_frames and len(durations) == len(tokens)


def test_the_shortest_recording_that_holds_the_text(options: MasOptions) -> None:
    alignment = make_aligner(options).align(noise(0.15), RATE, TOKENS)
    assert [round(phone.duration_s, 3) for phone in alignment.phones] == [0.03] * 5
    with pytest.raises(DataError, match="cannot hold it") as error:
        make_aligner(options).align(noise(0.139), RATE, TOKENS, utterance_id="clip7")
    assert error.value.where == "clip7"


def test_the_same_recording_gives_the_same_times(options: MasOptions) -> None:
    samples = noise(1.0)
    assert make_aligner(options).align(samples, RATE, TOKENS) == MasAligner(options).align(samples, RATE, TOKENS)


def test_unknown_phones_and_silent_recordings_name_the_utterance(options: MasOptions) -> None:
    zoo = lay_out([Word("zoo", ("Z", "UW1"), "lexicon")], ["."])
    with pytest.raises(DataError, match="clip7: The aligner does not know the phone 'Z'"):
        make_aligner(options).align(noise(1.0), RATE, zoo, utterance_id="clip7")
    with pytest.raises(DataError, match="clip7: .*silent"):
        make_aligner(options).align(np.zeros(RATE, np.float32), RATE, TOKENS, utterance_id="clip7")


def test_a_model_is_needed_and_must_be_readable(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="needs a trained model"):
        MasAligner(MasOptions())
    with pytest.raises(ArtifactError, match="the aligner cannot be read"):
        MasAligner(MasOptions(model=tmp_path))
