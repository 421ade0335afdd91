"""Encoder, attention and decoder: written out by hand, and indifferent to padding."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from speechkd.models.lipreading.characters import BOS, EOS, PAD
from speechkd.models.lipreading.encoder import Encoder
from speechkd.models.lipreading.reader import LipReader
from tests.models.lipreading.tiny import PAPER, SMALL, clips, tiny

TOKENS = torch.tensor([[3, 4, 5, EOS, PAD], [4, 4, 3, 3, EOS]])


@pytest.fixture
def model() -> LipReader:
    return tiny(ctc=True)


def test_shapes(model: LipReader) -> None:
    frames, lengths = clips([6, 3])
    made = model(frames, lengths, TOKENS)
    assert made.log_probs.shape == (2, 5, 6)
    assert made.attention.shape == (2, 5, 6)
    assert made.ctc is not None and made.ctc.shape == (2, 6, 6)
    torch.testing.assert_close(made.log_probs.exp().sum(-1), torch.ones(2, 5))
    torch.testing.assert_close(made.ctc.exp().sum(-1), torch.ones(2, 6))
    assert not made.log_probs[..., [PAD, BOS]].exp().any()
    assert tiny(ctc=False)(frames, lengths, TOKENS).ctc is None


def test_the_encoder_is_torchs_bidirectional_gru() -> None:
    """The same weights in one module of two layers, clip by clip."""
    model = tiny()
    both = torch.nn.GRU(10, 6, num_layers=2, batch_first=True, bidirectional=True)
    for number, layer in enumerate(model.encoder.layers):
        for name, value in layer.named_parameters():
            getattr(both, name.replace("l0", f"l{number}")).data.copy_(value)
    features = torch.randn(2, 6, 10)
    states = model.encoder(features, torch.tensor([3, 6]), dropout=False)
    torch.testing.assert_close(states[:1, :3], both(features[:1, :3])[0])
    torch.testing.assert_close(states[1:], both(features[1:])[0])
    assert not states[0, 3:].any()


def test_dropout_is_chosen_per_call() -> None:
    encoder: Encoder = tiny(dropout=0.5).encoder
    features, lengths = torch.randn(1, 6, 10), torch.tensor([6])
    plain = encoder(features, lengths, dropout=False)
    torch.testing.assert_close(encoder.train()(features, lengths, dropout=False), plain)
    assert not torch.allclose(encoder.eval()(features, lengths, dropout=True), plain)


def test_two_steps_by_hand(model: LipReader) -> None:
    """The equations at the top of the decoder's module, frame by frame in numbers of one clip."""
    decoder = model.decoder
    states, n = torch.randn(3, 12), 3
    hidden = torch.tanh(decoder.start(states.mean(dim=0)))
    readout = torch.zeros(9)
    log_probs = []
    for previous in (BOS, 4):
        query = decoder.attention.query.weight @ hidden
        scores = [
            decoder.attention.score.weight[0] @ torch.tanh(decoder.attention.key(states[i]) + query) for i in range(n)
        ]
        weights = torch.stack(scores).exp() / torch.stack(scores).exp().sum()
        context = sum(weights[i] * states[i] for i in range(n))
        read = torch.cat([decoder.embedding.weight[previous], context, readout])
        gates_in = decoder.gru.weight_ih @ read + decoder.gru.bias_ih
        gates_own = decoder.gru.weight_hh @ hidden + decoder.gru.bias_hh
        reset, update = torch.sigmoid(gates_in[:9] + gates_own[:9]), torch.sigmoid(gates_in[9:18] + gates_own[9:18])
        candidate = torch.tanh(gates_in[18:] + reset * gates_own[18:])
        hidden = (1 - update) * candidate + update * hidden
        readout = torch.tanh(decoder.readout(torch.cat([hidden, context])))
        written = decoder.write(readout)[2:]
        log_probs.append(written - written.exp().sum().log())
    memory = decoder.remember(states[None], torch.ones(1, n, dtype=torch.bool))
    found, attention = decoder(memory, torch.tensor([[4, EOS]]), dropout=False)
    torch.testing.assert_close(found[0, :, 2:], torch.stack(log_probs))
    torch.testing.assert_close(attention[0, 1], weights)


@pytest.mark.parametrize("front", [SMALL, PAPER], ids=lambda front: front.kind)
def test_padding_never_counts(front: object) -> None:
    """A clip alone, and beside a longer one with noise behind its end: the same to the last output."""
    model = tiny(front=front, ctc=True)
    frames, lengths = clips([9, 4])
    together = model(frames, lengths, TOKENS)
    alone = model(frames[1:, :4], lengths[1:], TOKENS[1:])
    torch.testing.assert_close(together.log_probs[1:], alone.log_probs)
    torch.testing.assert_close(together.attention[1:, :, :4], alone.attention)
    torch.testing.assert_close(together.ctc[1:, :4], alone.ctc)
    assert not together.attention[1, :, 4:].any()
    torch.testing.assert_close(together.attention.sum(-1), torch.ones(2, 5))


def test_padding_behind_the_text_never_counts(model: LipReader) -> None:
    frames, lengths = clips([9, 4])
    longer = F.pad(TOKENS, (0, 3), value=PAD)
    memory = model.encode(frames, lengths)
    at, of_longer = (model.score(memory, tokens, torch.tensor([4, 5]), dropout=False) for tokens in (TOKENS, longer))
    torch.testing.assert_close(of_longer[:, :5], at)
    assert not of_longer[:, 5:].any() and not at[0, 4:].any() and (at[1] < 0).all()


def test_a_batch_of_other_lengths_gives_the_same_gradient(model: LipReader) -> None:
    """The sum of what each clip gives alone, so that nothing leaks between clips or through padding."""
    frames, lengths = clips([9, 4])
    text_lengths = torch.tensor([4, 5])

    def gradient(rows: slice, n_frames: int) -> list[torch.Tensor]:
        model.zero_grad()
        memory = model.encode(frames[rows, :n_frames], lengths[rows])
        model.score(memory, TOKENS[rows], text_lengths[rows]).sum().backward()
        return [parameter.grad.clone() for parameter in model.parameters() if parameter.grad is not None]

    both, first, second = gradient(slice(2), 9), gradient(slice(1), 9), gradient(slice(1, 2), 4)
    for together, one, other in zip(both, first, second, strict=True):
        torch.testing.assert_close(together, one + other, atol=1e-4, rtol=1e-3)
