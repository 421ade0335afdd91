"""Transformer TTS: what it sees, what its attention is, and that speaking is the teacher-forced pass step by step."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from speechkd.align.attention import focus_rate
from speechkd.models.tts.load import load_model, save_model
from speechkd.models.tts.transformer import TransformerTts
from speechkd.models.tts.transformer_config import StopConfig, TransformerConfig, TransformerNetwork, WindowConfig
from speechkd.models.tts.transformer_layers import PositionCode
from speechkd.models.tts.transformer_window import Ending, Window
from tests.models.tts.tiny_transformer import N_MELS, mels, text, tiny

VARIANTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "reduction": {"reduction": 3},
    "postnet": {"postnet": {"layers": 3, "channels": 12}},
    "window": {"window": {"layers": [0, 1], "ahead": 2}},
    "paced": {"token_position_rate": 6.4, "learned_position_scale": False},
}
variants = pytest.mark.parametrize("variant", VARIANTS)


def forced(model: TransformerTts, lengths: tuple[int, ...], frames: tuple[int, ...], **options: Any) -> Any:
    tokens = torch.zeros(len(lengths), max(lengths), dtype=torch.int64)
    for row, length in enumerate(lengths):
        tokens[row, :length] = text(length, row)[0]
    mel, mel_lengths = mels(*frames)
    with torch.inference_mode():
        return model(tokens, torch.tensor(lengths), mel, mel_lengths, **options)


@variants
def test_a_cache_changes_nothing(variant: str) -> None:
    model = tiny(stops=False, **VARIANTS[variant])
    with_cache = model.generate(text(9), max_frames=40, seed=3)
    without = model.generate(text(9), max_frames=40, cache=False, seed=3)
    assert with_cache.mel.shape == (1, 40, N_MELS)
    torch.testing.assert_close(with_cache.mel, without.mel, atol=1e-5, rtol=0)
    torch.testing.assert_close(with_cache.attention, without.attention, atol=1e-5, rtol=0)


@pytest.mark.parametrize("cache", [True, False])
def test_a_window_reads_from_front_to_back(cache: bool) -> None:
    model = tiny(stops=False, window={"layers": [-1], "ahead": 2})
    attention = model.generate(text(15), max_frames=60, cache=cache).attention
    seen = attention[1].sum(dim=0) > 0
    first = seen.int().argmax(dim=1)
    assert (first.diff() >= 0).all() and int(first[0]) == 0 and int(first[-1]) == 14
    assert all(seen[frame].nonzero().flatten().tolist() == list(range(place, min(place + 3, 15)))
               for frame, place in enumerate(first.tolist()))  # fmt: skip
    torch.testing.assert_close(attention[1].sum(dim=-1), torch.ones(2, 60))
    assert (attention[0] > 0).all(), "the other layer sees the whole text"


def test_a_window_goes_on_when_having_gone_on_is_more_likely_than_not() -> None:
    """With a tenth of the attention ahead, 0.9^n falls under a half at the seventh step."""
    window = Window(WindowConfig(layers=(0,), ahead=2), 1, 5, torch.device("cpu"))
    row = torch.tensor([0.9, 0.02, 0.08, 0.0, 0.0])[None, None, None, None]
    places = []
    for _ in range(7):
        window.open(last_only=True)
        window.move(row)
        places.append(window.place)
    assert places == [0] * 6 + [2]
    window.move(torch.tensor([0.0, 0.0, 0.4, 0.6, 0.0])[None, None, None, None])
    assert window.place == 3 and window.at_end and window.stayed == 1.0


def test_with_a_window_the_end_comes_after_the_last_phone() -> None:
    """Even odds in the weighted loss are odds of 1 : 6, and (6/7)^n is less than a half from n = 5."""
    window = Window(WindowConfig(layers=(0,)), 1, 5, torch.device("cpu"))
    ending = Ending(StopConfig(positive_weight=6.0), window)
    assert not any(ending.ends(40.0) for _ in range(20)), "it cannot end at its first token"
    window.place = 3
    assert [ending.ends(0.0) for _ in range(6)] == [(6 / 7) ** step < 0.5 for step in range(1, 7)]
    assert (6 / 7) ** 4 > 0.5 > (6 / 7) ** 5


@pytest.mark.parametrize("variant", sorted(set(VARIANTS) - {"window"}))
def test_the_forced_pass_repeats_what_was_spoken(variant: str) -> None:
    """Given its own frames and the same seed, every step gives the frame that it gave."""
    model = tiny(stops=False, **VARIANTS[variant])
    spoken = model.generate(text(9), max_frames=31, seed=5)
    with torch.inference_mode():
        again = model(text(9), torch.tensor([9]), spoken.coarse, torch.tensor([31]), seed=5)
        other = model(text(9), torch.tensor([9]), spoken.coarse, torch.tensor([31]), seed=6)
    torch.testing.assert_close(again.mel, spoken.mel, atol=1e-5, rtol=0)
    torch.testing.assert_close(again.attention[0], spoken.attention, atol=1e-5, rtol=0)
    assert (other.mel - spoken.mel).abs().max() > 1e-2


@variants
def test_padding_changes_nothing(variant: str) -> None:
    model = tiny(**VARIANTS[variant])
    together = forced(model, (6, 9, 4), (20, 31, 8))
    for row, (n_tokens, n_frames) in enumerate(((6, 20), (9, 31), (4, 8))):
        mel = mels(20, 31, 8)[0][row : row + 1, :n_frames]
        with torch.inference_mode():
            alone = model(text(n_tokens, row), torch.tensor([n_tokens]), mel, torch.tensor([n_frames]))
        torch.testing.assert_close(together.mel[row, :n_frames], alone.mel[0], atol=1e-5, rtol=0)
        torch.testing.assert_close(together.coarse[row, :n_frames], alone.coarse[0], atol=1e-5, rtol=0)
        attention = together.attention[row, :, :, :n_frames, :n_tokens]
        torch.testing.assert_close(attention, alone.attention[0], atol=1e-5, rtol=0)
        n_steps = alone.stop_logits.shape[1]
        torch.testing.assert_close(together.stop_logits[row, :n_steps], alone.stop_logits[0], atol=1e-5, rtol=0)


@pytest.mark.parametrize("reduction", [1, 2, 3])
def test_no_step_sees_a_later_frame(reduction: int) -> None:
    """Frame f changes what comes after its own group of frames, and nothing before."""
    model = tiny(reduction=reduction)
    mel, lengths = mels(12)
    before = forced(model, (7,), (12,))
    for frame in range(12):
        changed = mel.clone()
        changed[:, frame] += 3.0
        with torch.inference_mode():
            after = model(text(7), torch.tensor([7]), changed, lengths)
        moved = (after.mel - before.mel).abs().amax(dim=(0, 2)) > 0
        # The decoder is given the last frame of each group alone.
        first = frame + 1 if (frame + 1) % reduction == 0 else 12
        assert not moved[:first].any(), f"frame {frame} is seen too early"
        assert moved[first:].all() or first == 12, f"frame {frame} is not seen"


def test_attention_rows_are_distributions_over_real_tokens() -> None:
    attention = forced(tiny(), (6, 9, 1), (20, 31, 8)).attention
    assert attention.shape == (3, 2, 2, 31, 9)
    for row, (n_tokens, n_frames) in enumerate(((6, 20), (9, 31), (1, 8))):
        real = attention[row, :, :, :n_frames, :n_tokens]
        torch.testing.assert_close(real.sum(dim=-1), torch.ones(2, 2, n_frames))
        assert attention[row].sum().item() == pytest.approx(4 * n_frames, rel=1e-5)
        assert not attention[row, :, :, n_frames:].any() and not attention[row, :, :, :, n_tokens:].any()


@pytest.mark.parametrize(("reduction", "n_frames"), [*itertools.product([1, 2, 3], [1, 7, 12])])
def test_durations_sum_to_the_frames(reduction: int, n_frames: int) -> None:
    """With several frames to a step too, of which the last step may have fewer."""
    model = tiny(reduction=reduction, stops=False)
    spoken = model.generate(text(5), max_frames=n_frames)
    durations = model.durations(spoken.attention)
    assert spoken.mel.shape[1] == spoken.attention.shape[2] == n_frames
    assert durations.shape == (5,) and int(durations.sum()) == n_frames
    output = forced(model, (5,), (n_frames,))
    assert int(model.durations(output.attention[0]).sum()) == n_frames


def test_a_step_of_several_frames_gives_them_all_to_its_token() -> None:
    model = tiny(reduction=3)
    rows = torch.eye(4)[[0, 2, 2, 3]][None, None, None]  # four steps looking at tokens 0, 2, 2, 3
    attention = model._per_frame(rows, 11)[0]
    assert attention.shape == (1, 1, 11, 4)
    assert model.durations(attention).tolist() == [3, 0, 6, 2]


def test_durations_are_those_of_the_head_or_of_the_sharpest() -> None:
    flat, sharp = torch.full((6, 3), 1 / 3), torch.eye(3)[[0, 1, 1, 1, 2, 2]]
    attention = torch.stack([torch.stack([flat, flat]), torch.stack([flat, sharp])])
    model = tiny()
    assert model.durations(attention).tolist() == [1, 3, 2]
    model.config = model.config.model_copy(update={"head": (0, 1)})
    assert model.durations(attention).tolist() == [6, 0, 0]
    assert focus_rate(attention.numpy())[1, 1] == pytest.approx(1.0)


@pytest.mark.parametrize("reduction", [1, 2])
def test_it_can_stop_at_once_and_it_can_be_stopped(reduction: int) -> None:
    hasty = tiny(stops=True, reduction=reduction).generate(text(6))
    assert hasty.stopped and hasty.mel.shape[1] == reduction
    stop = {"max_frames_per_token": 2.5, "max_frames_more": 4}
    endless = tiny(stops=False, reduction=reduction, stop=stop)
    spoken = endless.generate(text(6))
    assert not spoken.stopped and spoken.mel.shape[1] == 19  # ⌈2.5 · 6⌉ + 4
    assert spoken.mel.isfinite().all()
    with pytest.raises(ValueError, match="at least one frame"):
        endless.generate(text(6), max_frames=0)
    with pytest.raises(ValueError, match="one text"):
        endless.generate(text(6).repeat(2, 1))


def test_stopping_follows_the_threshold() -> None:
    """The same logit, under the threshold and over it."""
    for threshold, stopped in ((0.7, True), (0.8, False)):
        model = tiny(stops=False, stop={"threshold": threshold})
        with torch.no_grad():
            model.stop_project.bias.fill_(float(np.log(0.75 / 0.25)))
        assert model.generate(text(3), max_frames=4).stopped is stopped


def test_dropout_when_speaking_is_drawn_from_the_seed_alone() -> None:
    model = tiny(stops=False)
    first = model.generate(text(6), max_frames=12, seed=1).mel
    torch.rand(7)
    assert torch.equal(first, model.generate(text(6), max_frames=12, seed=1).mel)
    assert not torch.equal(first, model.generate(text(6), max_frames=12, seed=2).mel)
    longer = model.generate(text(6), max_frames=20, seed=1).mel
    assert torch.equal(first, longer[:, :12])
    dry = tiny(stops=False, prenet={"layers": 3, "channels": 24, "dropout_at_inference": False})
    assert torch.equal(dry.generate(text(6), max_frames=5, seed=1).mel, dry.generate(text(6), max_frames=5, seed=2).mel)


def test_prenet_gates_keep_the_expected_share() -> None:
    gates = tiny(prenet={"layers": 3, "channels": 24, "dropout": 0.25}).decoder.prenet.gates(400, 0, torch.zeros(()))
    assert gates is not None and gates.shape == (400, 3, 24)
    assert gates.unique().tolist() == pytest.approx([0.0, 1 / 0.75])
    assert float(gates.mean()) == pytest.approx(1.0, abs=0.02)


def test_infer_speaks_each_text_by_itself() -> None:
    model = tiny(stop={"max_frames_per_token": 3.0, "max_frames_more": 0}, stops=False)
    tokens = torch.zeros(2, 7, dtype=torch.int64)
    tokens[0], tokens[1, :4] = text(7)[0], text(4, 1)[0]
    spoken = model.infer(tokens, torch.tensor([7, 4]))
    assert spoken.mel_lengths.tolist() == [21, 12] and spoken.durations.sum(dim=1).tolist() == [21, 12]
    assert not spoken.durations[1, 4:].any()
    alone = model.infer(text(4, 1), torch.tensor([4]))
    assert torch.equal(spoken.mel[1, :12], alone.mel[0]) and torch.equal(spoken.durations[1, :4], alone.durations[0])


def test_speakers_sound_different_only_where_there_are_two() -> None:
    one, two = tiny(speakers=("ann",)), tiny(speakers=("ann", "bob"), stops=False)
    assert one.speaker_embedding is None and two.speaker_embedding is not None
    ann, bob = (two.generate(text(5), torch.tensor([who]), max_frames=6).mel for who in (0, 1))
    assert (ann - bob).abs().max() > 1e-3
    assert torch.equal(ann, two.generate(text(5), max_frames=6).mel)


def test_a_stored_model_speaks_the_same(tmp_path: Path) -> None:
    model = tiny(stops=False, reduction=2, postnet={"layers": 2})
    model.config = model.config.model_copy(update={"head": (1, 0)})
    save_model(tmp_path, model)
    loaded = load_model(tmp_path)
    assert isinstance(loaded, TransformerTts) and loaded.config == model.config
    assert torch.equal(loaded.generate(text(5), max_frames=8).mel, model.generate(text(5), max_frames=8).mel)


def test_gradients_reach_every_parameter() -> None:
    model = tiny(speakers=("ann", "bob"), postnet={"layers": 2}).train()
    mel, lengths = mels(9)
    output = model(text(5), torch.tensor([5]), mel, lengths, torch.tensor([1]))
    (output.mel.square().sum() + output.stop_logits.square().sum()).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name


def test_position_codes_are_the_sinusoids() -> None:
    code = PositionCode(6, learned=True, rate=2.5)
    with torch.no_grad():
        code.scale.fill_(0.5)
        found = code(torch.zeros(1, 4, 6), start=3)[0].numpy()
    place = 2.5 * np.arange(3, 7)[:, None]
    angles = place / 10000 ** (np.arange(0, 6, 2) / 6)
    expected = 0.5 * np.stack([np.sin(angles), np.cos(angles)], axis=-1).reshape(4, 6)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    with torch.no_grad():
        clocked = code(torch.zeros(2, 4, 6), clock=torch.tensor([[0.0, 1.0], [-6.0, 3.0]]))
        plain = code(torch.zeros(1, 4, 6))[0], code(torch.zeros(1, 10, 6), start=-6)[0, ::3]
    torch.testing.assert_close(clocked, torch.stack(plain))


def test_the_published_sizes() -> None:
    """FastSpeech prints 30.7 M parameters for its teacher."""
    network = TransformerNetwork()
    config = TransformerConfig(
        network=network, n_symbols=51, n_mels=80, mel_mean=(0.0,) * 80, mel_deviation=(1.0,) * 80
    )
    with torch.device("meta"):
        model = TransformerTts(config)
    count = sum(parameter.numel() for parameter in model.parameters())
    d, filters = 384, 1024
    attention, norm, conv = 4 * d * d + 4 * d, 2 * d, 3 * d * filters + filters + filters * d + d
    encoder, decoder = attention + conv + 2 * norm, 2 * attention + conv + 3 * norm
    prenet = 80 * 256 + 256 + 2 * (256 * 256 + 256) + 256 * d + d
    assert count == 51 * d + 6 * (encoder + decoder) + prenet + d * 80 + 80 + d + 1 + 2


def test_wrong_sizes_are_told() -> None:
    network = TransformerNetwork.model_validate({"hidden": 33, "postnet": {"kernel": 4}, "window": {"layers": [6]}})
    paths = ["encoder.heads", "decoder.heads", "window.layers", "postnet.kernel"]
    assert [path for path, _ in network.problems()] == paths
    sizes = {"n_symbols": 5, "n_mels": 2, "mel_mean": [0.0], "mel_deviation": [1.0, 1.0], "head": [6, 0]}
    assert [path for path, _ in TransformerConfig.model_validate(sizes).problems()] == ["mel_mean", "head"]
    assert not list(TransformerConfig.model_validate(sizes | {"mel_mean": [0.0, 0.0], "head": [5, 1]}).problems())
