"""The torch network against the same computation in numpy, which shares no code with it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from speechkd.errors import ArtifactError
from speechkd.models.g2p.config import G2pNetworkConfig
from speechkd.models.g2p.load import load_model, save_model
from speechkd.models.g2p.network import G2pNetwork
from speechkd.text.g2p import G2p, letter_rows
from speechkd.text.g2p_network import G2pArrays, encode, greedy

TAGS = ("-", "AA1", "B", "EH1", "EY0", "K", "K+S", "S", "Y+UW1")
SIZES = G2pNetworkConfig(hidden=24, layers=2, heads=3, inner=20, reach=3, previous=6, decoder=16)
WORDS = ("a", "bax", "o'hare", "supercalifragilistic")


@pytest.fixture(params=range(3))
def model(request: pytest.FixtureRequest) -> G2pNetwork:
    torch.manual_seed(request.param)
    model = G2pNetwork(SIZES, TAGS).eval()
    for parameter in model.parameters():
        # Vectors stay near what they are (norms 1, biases 0): large biases would make one tag win everywhere.
        parameter.data.add_(torch.randn_like(parameter), alpha=0.5 if parameter.ndim > 1 else 0.1)
    return model


def arrays(model: G2pNetwork) -> G2pArrays:
    values = {name: value.numpy() for name, value in model.state_dict().items()}
    return G2pArrays(values, SIZES.layers, SIZES.heads)


def test_numpy_computes_the_same(model: G2pNetwork) -> None:
    letters = letter_rows(WORDS)
    with torch.inference_mode():
        expected = model.encode(torch.from_numpy(letters)).numpy()
        numbers = model.greedy(torch.from_numpy(letters)).numpy()
    encoded = encode(arrays(model), letters)
    said = greedy(arrays(model), encoded)
    assert len(np.unique(numbers)) > 2
    for row, word in enumerate(WORDS):
        np.testing.assert_allclose(encoded[row, : len(word)], expected[row, : len(word)], atol=1e-4)
        assert said[row, : len(word)].tolist() == numbers[row, : len(word)].tolist()


def test_padding_does_not_matter(model: G2pNetwork) -> None:
    together = encode(arrays(model), letter_rows(WORDS))
    for row, word in enumerate(WORDS):
        alone = encode(arrays(model), letter_rows([word]))
        np.testing.assert_allclose(together[row, : len(word)], alone[0], atol=1e-4)


def test_teacher_forcing_follows_the_greedy_path(model: G2pNetwork) -> None:
    """Given its own greedy tags as the true ones, every step's best tag is that tag again."""
    letters = torch.from_numpy(letter_rows(["supercalifragilistic"]))
    with torch.inference_mode():
        numbers = model.greedy(letters)
        logits = model(letters, numbers)
    assert logits.shape == (1, 20, len(TAGS))
    assert logits.argmax(dim=-1).tolist() == numbers.tolist()


def test_the_last_letters_may_change_the_first_sounds(model: G2pNetwork) -> None:
    one, other = (encode(arrays(model), letter_rows([word])) for word in ("abcdefghijkl", "abcdefghijkz"))
    assert np.abs(one[0, 0] - other[0, 0]).max() > 1e-4


def test_a_model_is_read_as_it_was_written(model: G2pNetwork, tmp_path: Path) -> None:
    save_model(tmp_path, model)
    again = load_model(tmp_path)
    assert again.tag_names == TAGS and again.config == SIZES and not again.training
    letters = torch.from_numpy(letter_rows(WORDS))
    torch.testing.assert_close(again.encode(letters), model.encode(letters))
    (tmp_path / "model.json").write_text("{}")
    with pytest.raises(ArtifactError, match="the model cannot be read"):
        load_model(tmp_path)


def test_numpy_says_the_phones_of_the_tags(model: G2pNetwork) -> None:
    """The words' tags, joined, with the first primary stress kept."""
    g2p = G2p(arrays(model), TAGS)
    for word, phones in zip(WORDS, g2p.say(WORDS), strict=True):
        numbers = model.greedy(torch.from_numpy(letter_rows([word])))[0].tolist()
        plain = [phone for number in numbers if TAGS[number] != "-" for phone in TAGS[number].split("+")]
        vowels = any(phone[-1] in "012" for phone in plain)
        bare = [phone.rstrip("012") for phone in plain] if vowels else []
        assert [phone.rstrip("012") for phone in phones] == bare
