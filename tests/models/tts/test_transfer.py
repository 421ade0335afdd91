"""Weights given to another model: by name, all of them or told why not, and the voice still speaks as before."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from speechkd.errors import ConfigError
from speechkd.models.tts.config import FastSpeech2Config
from speechkd.models.tts.load import build_model
from speechkd.models.tts.transfer import Transfer, transfer_weights

N_MELS = 6
FFT = {"layers": 1, "heads": 1, "conv_channels": 8, "conv_kernel": 3}
NETWORK = {"hidden": 8, "encoder": FFT, "decoder": FFT, "predictor": {"channels": 8}}
STATISTICS = {
    "f0_min_hz": 80, "f0_max_hz": 400, "log_f0_mean": 5.2, "log_f0_deviation": 0.25, "energy_min": 0, "energy_max": 60,
    "energy_mean": 20, "energy_deviation": 8, "mel_mean": (-5.0,) * N_MELS, "mel_deviation": (2.0,) * N_MELS,
}  # fmt: skip
MEL = {"mel_mean": (-5.0,) * N_MELS, "mel_deviation": (2.0,) * N_MELS}
SMALL = {"hidden": 8, "encoder": FFT, "decoder": FFT}
CONFIGS: dict[str, dict[str, Any]] = {
    "fastspeech2": {"network": NETWORK, "statistics": STATISTICS},
    "fastspeech": {"network": SMALL | {"predictor": {"channels": 8}}, **MEL},
    "transformer": {"network": SMALL | {"prenet": {"channels": 8}}, **MEL},
}
SYMBOLS = ("_", "a", "b", "c", "d", "|")


def make(kind: str = "fastspeech2", symbols: tuple[str, ...] = SYMBOLS, seed: int = 1, **changes: Any) -> Any:
    """A random model in evaluation mode whose tokens last a few frames."""
    config = {"n_symbols": len(symbols), "n_mels": N_MELS, **CONFIGS[kind], **changes}
    torch.manual_seed(seed)
    model: Any = build_model(kind, config).eval()
    for norm in (each for each in model.modules() if isinstance(each, nn.LayerNorm)):
        nn.init.normal_(norm.bias, std=0.1)
    if hasattr(model, "duration_predictor"):
        nn.init.constant_(model.duration_predictor.project.bias, 1.3)
    return model


def say(model: Any, symbols: tuple[str, ...], text: str = "abca|d", speaker: str = "") -> Tensor:
    """The mel (F, n_mels) of a text, a symbol per letter."""
    tokens = torch.tensor([[symbols.index(each) for each in text]])
    speakers = torch.tensor([model.config.speakers.index(speaker)]) if speaker else None
    spoken = model.infer(tokens, torch.tensor([len(text)]), speakers=speakers)
    mel: Tensor = spoken.mel[0]
    return mel


def actions(done: Transfer) -> dict[str, str]:
    return {note.tensor: note.action for note in done.notes}


def reason(done: Transfer, tensor: str) -> str:
    return next(note.reason for note in done.notes if note.tensor == tensor)


@pytest.mark.parametrize("kind", CONFIGS)
def test_the_same_model_is_copied_whole(kind: str) -> None:
    voice, model = make(kind), make(kind, seed=2)
    assert not torch.equal(say(voice, SYMBOLS), say(model, SYMBOLS))
    done = transfer_weights(model, voice, SYMBOLS, SYMBOLS)
    assert done.notes == [] and done.share == 1 and sorted(done.copied) == sorted(model.state_dict())
    assert torch.equal(say(model, SYMBOLS), say(voice, SYMBOLS))
    assert all(each.requires_grad for each in model.parameters())


@pytest.mark.parametrize("kind", CONFIGS)
def test_symbols_are_found_by_name(kind: str) -> None:
    """A table in another order, without c and with two more symbols: texts of the others sound as before."""
    other = ("_", "x", "|", "d", "b", "y", "a")
    voice, model = make(kind), make(kind, other, seed=2)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    done = transfer_weights(model, voice, other, SYMBOLS)
    assert actions(done) == {"embedding.weight": "partly"}
    told = "5 of 7 symbols found by name; start at random: x, y; not needed: c"
    assert reason(done, "embedding.weight") == told
    assert torch.equal(model.embedding.weight[[1, 5]], before["embedding.weight"][[1, 5]])
    assert torch.equal(say(model, other, "abad|b"), say(voice, SYMBOLS, "abad|b"))
    assert 0.9 < done.share < 1 and done.n_values - done.n_given == 2 * 8


@pytest.mark.parametrize("kind", CONFIGS)
def test_one_speaker_becomes_two_who_both_start_as_that_one(kind: str) -> None:
    voice, model = make(kind), make(kind, seed=2, speakers=("ann", "bob"))
    done = transfer_weights(model, voice, SYMBOLS, SYMBOLS)
    expected = say(voice, SYMBOLS)
    assert torch.equal(say(model, SYMBOLS, speaker="ann"), expected)
    assert torch.equal(say(model, SYMBOLS, speaker="bob"), expected)
    told = "the voice has one speaker, as which all 2 start: their vectors are zero"
    assert actions(done) == {"speaker_embedding.weight": "new"} and reason(done, "speaker_embedding.weight") == told


@pytest.mark.parametrize("kind", CONFIGS)
def test_two_speakers_become_one(kind: str) -> None:
    """As the one who is chosen; else as a speaker whose vector is the mean."""
    voice, model = make(kind, speakers=("ann", "bob")), make(kind, seed=2)
    done = transfer_weights(model, voice, SYMBOLS, SYMBOLS, "bob")
    assert torch.allclose(say(model, SYMBOLS), say(voice, SYMBOLS, speaker="bob"), atol=1e-5)
    assert not torch.allclose(say(model, SYMBOLS)[:4], say(voice, SYMBOLS, speaker="ann")[:4], atol=1e-3)
    assert actions(done) == {"speaker_embedding.weight": "moved"}
    assert reason(done, "speaker_embedding.weight").startswith(
        "one speaker here: the vector of bob is added to encoder."
    )
    transfer_weights(model, voice, SYMBOLS, SYMBOLS)
    with torch.no_grad():
        voice.speaker_embedding.weight[:] = voice.speaker_embedding.weight.mean(dim=0)
    assert torch.allclose(say(model, SYMBOLS), say(voice, SYMBOLS, speaker="ann"), atol=1e-5)


def test_there_and_back_changes_nothing() -> None:
    voice, pair, back = make(), make(seed=2, speakers=("ann", "bob")), make(seed=3)
    transfer_weights(pair, voice, SYMBOLS, SYMBOLS)
    transfer_weights(back, pair, SYMBOLS, SYMBOLS)
    assert all(torch.equal(value, voice.state_dict()[name]) for name, value in back.state_dict().items())


def test_speakers_are_found_by_name_and_new_ones_start_from_the_mean() -> None:
    voice, model = make(speakers=("ann", "bob")), make(seed=2, speakers=("bob", "carl", "ann"))
    done = transfer_weights(model, voice, SYMBOLS, SYMBOLS)
    ann, bob = voice.speaker_embedding.weight
    assert torch.equal(model.speaker_embedding.weight, torch.stack([bob, (ann + bob) / 2, ann]))
    told = "2 of 3 speakers found by name; start from the mean of the voice's 2 speakers: carl"
    assert reason(done, "speaker_embedding.weight") == told and done.share == 1
    done = transfer_weights(model, voice, SYMBOLS, SYMBOLS, "bob")
    assert torch.equal(model.speaker_embedding.weight[1], bob)
    assert reason(done, "speaker_embedding.weight").endswith("start from bob: carl")


def test_unknown_speakers_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"no speaker 'eve': its speakers: ann, bob"):
        transfer_weights(make(), make(speakers=("ann", "bob")), SYMBOLS, SYMBOLS, "eve")
    with pytest.raises(ConfigError, match="it has one speaker only"):
        transfer_weights(make(), make(), SYMBOLS, SYMBOLS, "eve")


def test_other_sizes_are_told_tensor_by_tensor() -> None:
    wide = {**NETWORK, "hidden": 12, "encoder": FFT, "decoder": FFT}
    voice, model = make(), make(seed=2, network=wide)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    done = transfer_weights(model, voice, SYMBOLS, SYMBOLS)
    assert set(done.copied) | set(actions(done)) == set(model.state_dict())
    assert reason(done, "embedding.weight") == "6×8 in the voice, 6×12 here"
    assert reason(done, "mel_project.weight") == "6×8 in the voice, 6×12 here"
    assert "mel_project.bias" in done.copied and done.share < 0.5
    unchanged = [name for name, value in model.state_dict().items() if torch.equal(value, before[name])]
    assert set(actions(done)) <= set(unchanged)


def test_parts_that_only_one_of_them_has_are_told() -> None:
    bare = {**NETWORK, "energy": {"target": "none"}}
    done = transfer_weights(make(network=bare), make(), SYMBOLS, SYMBOLS)
    assert done.notes and done.share == 1
    assert all(note.action == "unused" and note.tensor.startswith("energy.") for note in done.notes)
    done = transfer_weights(make(), make(network=bare), SYMBOLS, SYMBOLS)
    assert done.notes and done.share < 1
    assert all(note.action == "new" and note.reason == "the voice has no such tensor" for note in done.notes)


def test_the_scales_stay_those_of_the_model() -> None:
    """Statistics are configuration, not weights."""
    louder = {**STATISTICS, "mel_mean": (1.0,) * N_MELS}
    voice, model = make(), make(seed=2, statistics=louder)
    transfer_weights(model, voice, SYMBOLS, SYMBOLS)
    assert isinstance(model.config, FastSpeech2Config) and model.config.statistics.mel_mean == (1.0,) * N_MELS
    assert torch.allclose(say(model, SYMBOLS), say(voice, SYMBOLS) + 6, atol=1e-5)


def test_a_trunk_is_filled_by_name_as_well() -> None:
    """A FastSpeech 2s holds its embeddings one module deeper."""

    def sliced(symbols: tuple[str, ...], seed: int, **changes: Any) -> Any:
        trunk = {"n_symbols": len(symbols), "n_mels": N_MELS, **CONFIGS["fastspeech2"], **changes}
        torch.manual_seed(seed)
        config = {"trunk": trunk, "waveform": {"channels": 4, "blocks": 2, "cycle": 2}, "hop_samples": 4}
        return build_model("fastspeech2s", config)

    other = ("_", "x", *reversed(SYMBOLS[1:]))
    voice, model = sliced(SYMBOLS, 1, speakers=("ann", "bob")), sliced(other, 2, speakers=("bob", "carl"))
    done = transfer_weights(model, voice, other, SYMBOLS)
    assert actions(done) == {"trunk.embedding.weight": "partly", "trunk.speaker_embedding.weight": "partly"}
    for row, symbol in enumerate(other):
        if symbol in SYMBOLS:
            assert torch.equal(model.trunk.embedding.weight[row], voice.trunk.embedding.weight[SYMBOLS.index(symbol)])
    ann, bob = voice.trunk.speaker_embedding.weight
    assert torch.equal(model.trunk.speaker_embedding.weight, torch.stack([bob, (ann + bob) / 2]))
    assert all(
        value.equal(voice.state_dict()[name]) for name, value in model.state_dict().items() if "waveform" in name
    )
    alone = sliced(SYMBOLS, 3)
    done = transfer_weights(alone, voice, SYMBOLS, SYMBOLS, "bob")
    assert actions(done) == {"trunk.speaker_embedding.weight": "moved"}
    (told,) = (note.reason for note in done.notes)
    assert "the vector of bob is added to trunk.encoder." in told
