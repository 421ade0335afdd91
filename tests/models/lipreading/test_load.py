"""A lip reader as a folder, and what it says of a clip: words, confidence and times."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from speechkd.errors import ArtifactError, DataError
from speechkd.models.lipreading.characters import EOS, Characters
from speechkd.models.lipreading.config import LipReaderConfig
from speechkd.models.lipreading.load import load_model, load_reader, save_model
from speechkd.models.lipreading.reading import Reader, ReadWord, centre_frames, reading_of
from tests.models.lipreading.tiny import PAPER, SMALL, clips, tiny


@pytest.mark.parametrize("front", [SMALL, PAPER], ids=lambda front: front.kind)
def test_a_reader_is_read_as_it_was_written(front: object, tmp_path: Path) -> None:
    model = tiny("xyzä", front=front, ctc=True).train()
    tokens = torch.tensor([[3, EOS]])
    model(*clips([5]), tokens)  # moves the statistics, which belong to the model too
    save_model(tmp_path, model)
    again = load_model(tmp_path)
    assert again.config == model.config and not again.training
    assert again.state_dict().keys() == model.state_dict().keys()
    assert all(torch.equal(value, model.state_dict()[name]) for name, value in again.state_dict().items())
    made, expected = again(*clips([6]), tokens), model.eval()(*clips([6]), tokens)
    assert torch.equal(made.log_probs, expected.log_probs) and torch.equal(made.ctc, expected.ctc)


def cut_weights(folder: Path) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])


def other_size(folder: Path) -> None:
    content = json.loads((folder / "model.json").read_text())
    content["config"]["network"]["decoder"]["hidden"] += 1
    (folder / "model.json").write_text(json.dumps(content))


def other_kind(folder: Path) -> None:
    content = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps({**content, "model": "fastspeech2"}))


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (cut_weights, "model"),
        (other_size, "size mismatch"),
        (other_kind, "it holds a 'fastspeech2', not a 'lipreader'"),
        (lambda folder: (folder / "model.json").write_text("{}"), "model"),
        (lambda folder: (folder / "model.json").write_text("[]"), "indices"),
        (lambda folder: (folder / "model.json").write_bytes(b"\xff{"), "decode"),
        (lambda folder: (folder / "model.json").unlink(), "No such file"),
        (lambda folder: (folder / "model.safetensors").unlink(), "No such file"),
    ],
)
def test_a_damaged_folder_is_an_error_for_people(damage: object, why: str, tmp_path: Path) -> None:
    save_model(tmp_path, tiny())
    damage(tmp_path)
    with pytest.raises(ArtifactError, match="the lip reader cannot be read") as caught:
        load_reader(tmp_path)
    assert why in str(caught.value.why)


def test_a_clip_is_read_as_words(tmp_path: Path) -> None:
    """The facade says what the beam writes, with the probabilities of its characters."""
    model = tiny("ab ", longest=12)
    save_model(tmp_path, model)
    reader = load_reader(tmp_path)
    assert reader.crop_size == (12, 16)
    frames, lengths = clips([9], seed=3)
    memory = model.encode(frames, lengths)
    for width in (1, 5):
        reading = reader.read(frames[0].numpy(), beam=width)
        written = model.beam(memory, width=width)
        assert reading.text == model.characters.decode(written.tokens[0].tolist()) != ""
        assert [word.word for word in reading.words] == reading.text.split()
        assert all(0 < word.confidence < 1 and 0 <= word.start_frame <= word.end_frame < 9 for word in reading.words)
        first = len(reading.text) - len(reading.text.lstrip())
        probabilities = written.log_probs[0].exp()[first : first + len(reading.words[0].word)]
        assert reading.words[0].confidence == pytest.approx(float(probabilities.mean()), abs=1e-5)


@pytest.mark.parametrize(
    "frames",
    [
        np.zeros((0, 12, 16), np.uint8),
        np.zeros((5, 16, 12), np.uint8),
        np.zeros((12, 16), np.uint8),
        np.zeros((5, 12, 16, 3), np.uint8),
        np.zeros((5, 12, 16), np.float32),
    ],
)
def test_frames_of_another_kind_are_refused(frames: np.ndarray) -> None:
    with pytest.raises(DataError, match=r"reads uint8 of \(T, 12, 16\)"):
        Reader(tiny()).read(frames)


def test_confidence_and_times_of_a_made_up_attention() -> None:
    """`ab  c`: two words around two spaces; the second row looks back, and its time does not go back."""
    characters = Characters("abc ")
    tokens = characters.encode("ab  c")
    probabilities = np.array([0.9, 0.5, 0.1, 0.1, 0.6, 0.2], np.float32)
    attention = np.zeros((6, 10), np.float32)
    attention[0, [2, 4]] = 0.5, 0.5  # centre 3
    attention[1, [0, 4]] = 0.5, 0.5  # centre 2, said no earlier than 3
    attention[2, 5] = attention[3, 5] = 1.0
    attention[4, [6, 9]] = 0.75, 0.25  # centre 6.75
    attention[5, 0] = 1.0
    reading = reading_of(characters, tokens, probabilities, attention)
    assert reading.text == "ab  c"
    assert reading.words == (
        ReadWord("ab", pytest.approx(0.7), 3, 3),
        ReadWord("c", pytest.approx(0.6), 7, 7),
    )


def test_times_rise_with_the_text() -> None:
    attention = np.eye(8, dtype=np.float32)[[1, 3, 2, 7, 0]]
    assert centre_frames(attention) == [1, 3, 3, 7, 7]


def test_a_text_without_words_has_none() -> None:
    characters = Characters("ab ")
    for text in ("", "  "):
        tokens = characters.encode(text)
        assert reading_of(characters, tokens, np.ones(len(tokens)), np.ones((len(tokens), 4))).words == ()


def test_an_alphabet_with_a_character_twice_is_a_problem() -> None:
    assert [path for path, _ in LipReaderConfig(alphabet="aba").problems()] == ["alphabet"]
    assert not list(LipReaderConfig().problems())
    with pytest.raises(ValidationError):
        LipReaderConfig(alphabet="")
