"""The lip reader: padding, dropout, batch statistics, search, and its folder."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from speechkd.errors import ArtifactError, DataError
from speechkd.models.lipreading.config import LipReaderConfig
from speechkd.models.lipreading.load import centres, load_model, load_reader, save_model
from speechkd.models.lipreading.network import LipReader, log_probability
from speechkd.models.lipreading.search import beam, greedy, sample
from speechkd.models.lipreading.symbols import BOS, EOS, PAD, Characters

SMALL = {"name": "small", "channels": (2, 3, 4), "grid": (1, 2), "features": 6}


def reader(alphabet: str = "ab", seed: int = 0, **changes: object) -> LipReader:
    torch.manual_seed(seed)
    sizes = {
        "frontend": SMALL,
        "encoder": {"hidden": 5, "layers": 2},
        "decoder": {"hidden": 8, "attention": 4, "embedding": 3},
        "crop": {"height": 12, "width": 16},
        "alphabet": alphabet,
        "max_characters": 4,
    }
    return LipReader(LipReaderConfig.model_validate({**sizes, **changes}))


def clips(n_clips: int = 2, n_frames: int = 6, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (n_clips, n_frames, 12, 16), dtype=torch.uint8, generator=generator)


@pytest.mark.parametrize("frontend", [SMALL, {"name": "paper", "channels": 4}])
def test_r16_padding_is_neither_seen_nor_attended_to(frontend: dict[str, object]) -> None:
    """A clip is read alike alone and beside a longer one, whatever stands in its padding."""
    model = reader(frontend=frontend).eval()
    both, symbols = clips(), torch.tensor([[3, 4, EOS], [4, 3, EOS]])
    alone = model(both[:1, :4], torch.tensor([4]), symbols[:1])
    together = model(both, torch.tensor([4, 6]), symbols)
    assert torch.allclose(alone[0], together[0], atol=1e-5)
    memory = model.encode(both, torch.tensor([4, 6]))
    _, attention = model.attend(memory, symbols[:, None])
    assert not bool(attention[0, :, :, 4:].any())
    assert torch.allclose(attention.sum(dim=-1), torch.ones(2, 1, 3), atol=1e-5)


def test_r16_batch_statistics_know_no_padding() -> None:
    statistics = []
    for extra in (0, 5):
        model = reader().train()
        padded = torch.cat([clips(), clips(n_frames=extra, seed=9)], dim=1) if extra else clips()
        model.encode(padded, torch.tensor([6, 6]))
        statistics.append({name: value for name, value in model.named_buffers() if "running" in name})
    assert statistics[0]
    assert all(torch.allclose(value, statistics[1][name]) for name, value in statistics[0].items())


def test_paper_front_end_has_the_published_shape() -> None:
    """ResNet-18 has 11,689,512 parameters: here without its first convolution and its classes, with a last norm."""
    model = LipReader(LipReaderConfig())
    assert model.frontend.motion.weight.shape == (64, 1, 5, 7, 7)
    count = sum(p.numel() for p in model.frontend.per_frame.parameters())
    assert count == 11_689_512 - 513_000 - 9_408 + 2 * 512
    frames = torch.zeros(1, 3, 50, 100, dtype=torch.uint8)
    assert model.eval().encode(frames, torch.tensor([3])).values.shape == (1, 3, 512)


def test_r6_samples_are_scored_again_by_the_same_policy() -> None:
    """With dropout: the masks of the draw make the pass with gradients give the probabilities of the draw."""
    model = reader(dropout=0.5).train()
    memory = model.encode(clips(), torch.tensor([6, 4]))
    masks = model.decoder.masks(2, 3)
    written = sample(model, memory, 3, masks)
    assert not written.log_probabilities.requires_grad
    again = log_probability(model.score(memory, written.symbols, masks), written.symbols)
    assert again.requires_grad
    assert torch.allclose(again, written.log_probabilities, atol=1e-5)
    other = log_probability(model.score(memory, written.symbols, model.decoder.masks(2, 3)), written.symbols)
    assert not torch.allclose(other, written.log_probabilities, atol=1e-2)


def test_samples_follow_the_distribution() -> None:
    """Frequencies of whole sequences equal their scored probabilities within four standard errors."""
    model = reader(max_characters=2).eval()
    memory = model.encode(clips(1), torch.tensor([6]))
    n_rows = 4000
    torch.manual_seed(0)
    written = sample(model, memory, n_rows)
    sequences = [(EOS, PAD), *itertools.product((3, 4), (EOS, 3, 4))]
    symbols = torch.tensor(sequences)[None]
    probabilities = log_probability(model.score(memory, symbols), symbols).sum(dim=2).exp()[0]
    assert probabilities.sum().item() == pytest.approx(1.0, abs=1e-4)
    for sequence, p in zip(sequences, probabilities.tolist(), strict=True):
        share = float((written.symbols[0] == torch.tensor(sequence)).all(dim=1).float().mean())
        assert abs(share - p) <= 4 * (p * (1 - p) / n_rows) ** 0.5 + 1e-4


def test_written_sequences_end_once() -> None:
    model = reader().eval()
    memory = model.encode(clips(3), torch.tensor([6, 5, 3]))
    for written in (sample(model, memory, 5), greedy(model, memory), beam(model, memory, 4)):
        for row, length in zip(written.symbols.flatten(0, 1).tolist(), written.lengths.flatten().tolist(), strict=True):
            assert set(row[length:]) <= {PAD}
            assert PAD not in row[:length] and BOS not in row and EOS not in row[: length - 1]
            assert row[length - 1] == EOS or length == 4


@pytest.mark.parametrize("power", [0.0, 1.0])
def test_a_wide_beam_finds_what_brute_force_finds(power: float) -> None:
    model = reader(max_characters=3).eval()
    memory = model.encode(clips(), torch.tensor([6, 4]))
    sequences = [(EOS, PAD, PAD), *((a, EOS, PAD) for a in (3, 4))]
    sequences += list(itertools.product((3, 4), (3, 4), (EOS, 3, 4)))
    symbols = torch.tensor(sequences).expand(2, -1, -1)
    logs = log_probability(model.score(memory, symbols), symbols).sum(dim=2)
    worth = logs / (symbols != PAD).sum(dim=2) ** power
    found = beam(model, memory, width=12, length_power=power)
    for clip in range(2):
        order = worth[clip].argsort(descending=True)
        assert found.symbols[clip, 0].tolist() == list(sequences[int(order[0])])
        assert found.symbols[clip, 3].tolist() == list(sequences[int(order[3])])
        assert float(found.log_probabilities[clip, 0].sum()) == pytest.approx(logs[clip, order[0]].item(), abs=1e-4)


def test_a_beam_of_one_is_greedy_and_a_wider_one_no_worse() -> None:
    for seed in range(5):
        model = reader(seed=seed).eval()
        memory = model.encode(clips(seed=seed), torch.tensor([6, 6]))
        alone = greedy(model, memory)
        one = beam(model, memory, width=1)
        n_steps = alone.symbols.shape[2]
        assert torch.equal(one.symbols[:, :, :n_steps], alone.symbols)
        wide = beam(model, memory, width=12)
        assert bool((wide.log_probabilities.sum(2)[:, 0] >= alone.log_probabilities.sum(2)[:, 0] - 1e-5).all())


def test_the_folder_gives_the_same_model_back(tmp_path: Path) -> None:
    model = reader(ctc=True).eval()
    save_model(tmp_path, model)
    again = load_model(tmp_path)
    assert again.config == model.config
    symbols = torch.tensor([[3, 4, EOS], [4, 3, EOS]])
    lengths = torch.tensor([6, 4])
    assert torch.equal(again(clips(), lengths, symbols), model(clips(), lengths, symbols))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.json", "model.safetensors"]


def test_a_damaged_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="the lip reader cannot be read"):
        load_model(tmp_path)
    save_model(tmp_path, reader())
    content = json.loads((tmp_path / "model.json").read_text())
    (tmp_path / "model.json").write_text(json.dumps({**content, "model": "fastspeech2"}))
    with pytest.raises(ArtifactError, match="fastspeech2"):
        load_model(tmp_path)


def test_a_reader_reads_words_with_confidence_and_place(tmp_path: Path) -> None:
    save_model(tmp_path, reader("a b", seed=3))
    found = load_reader(tmp_path)
    assert found.crop_size == (12, 16)
    reading = found.read(clips(1).numpy()[0])
    assert reading.text == " ".join(word.word for word in reading.words)
    for word in reading.words:
        assert 0.0 < word.confidence <= 1.0
        assert word.start_frame is None or 0 <= word.start_frame <= word.end_frame <= 5  # type: ignore[operator]


@pytest.mark.parametrize(
    "frames",
    [np.zeros((3, 12, 15), np.uint8), np.zeros((0, 12, 16), np.uint8), np.zeros((3, 12, 16), np.float32)],
)
def test_frames_of_another_kind_are_refused(tmp_path: Path, frames: np.ndarray) -> None:
    save_model(tmp_path, reader())
    with pytest.raises(DataError, match="these frames cannot be read"):
        load_reader(tmp_path).read(frames)


def test_centres_of_attention() -> None:
    attention = torch.tensor([[0.5, 0.5, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0]])
    assert centres(attention).tolist() == [0.5, 3.0]


def test_characters_go_there_and_back() -> None:
    characters = Characters("ab ")
    assert characters.decode([*characters.encode("ba a"), EOS, 3, 3]) == "ba a"
    with pytest.raises(DataError, match="'z'"):
        characters.encode("baz")
