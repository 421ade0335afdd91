"""The front ends: sizes by hand, the first convolution against a 3-D one, and padding that never counts."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from speechkd.models.common.masks import length_mask
from speechkd.models.lipreading.config import PaperFrontConfig, PixelConfig, SmallFrontConfig
from speechkd.models.lipreading.front import FirstConvolution, Pixels, front_end, resnet18_trunk
from tests.models.lipreading.tiny import PAPER, SMALL, clips

FRONTS = pytest.mark.parametrize("config", [PAPER, SMALL], ids=lambda config: config.kind)


def n_parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_the_trunk_has_the_parameters_of_resnet18() -> None:
    """11,689,512 in the ImageNet network, of which 513,000 classify and 9,408 + 128 are the first layer's: 11.17 M.

    By hand: two 3x3 convolutions per block, four per stage, a 1x1 one at each of the three changes of size; two
    numbers per channel for each batch normalisation, of which there are four per stage and one at each change.
    """
    first_stage = 4 * 9 * 64 * 64 + 4 * 2 * 64
    others = sum(9 * (n // 2) * n + 3 * 9 * n * n + (n // 2) * n + 5 * 2 * n for n in (128, 256, 512))
    assert first_stage + others == 11_689_512 - 513_000 - 9_408 - 128 == 11_166_976
    assert n_parameters(resnet18_trunk(64)) == first_stage + others


def test_the_papers_front_end_ends_with_512_features_and_nothing_but_the_known_layers() -> None:
    front = front_end(PaperFrontConfig())
    assert n_parameters(front) == 5 * 7 * 7 * 64 + 2 * 64 + 11_166_976 + 2 * 512
    maps = front.first(torch.zeros(1, 3, 88, 88), torch.ones(1, 3, dtype=torch.bool))
    assert maps.shape == (3, 64, 44, 44)
    assert front.rest[0](maps).shape == (3, 64, 22, 22)
    assert front.rest[1](front.rest[0](maps)).shape == (3, 512, 3, 3)


@pytest.mark.parametrize("kernel", [5, 7])
def test_the_first_convolution_is_a_3d_one(kernel: int) -> None:
    """Against torch's, with stride 1 x 2 x 2 and as much padding as keeps every frame."""
    first = FirstConvolution(3, kernel).eval()
    pixels, mask = torch.randn(2, 7, 12, 16), length_mask(torch.tensor([7, 4]))
    pixels = pixels * mask[:, :, None, None]
    expected = F.conv3d(
        pixels[:, None],
        first.convolution.weight[:, None],
        stride=(1, 2, 2),
        padding=(2, kernel // 2, kernel // 2),
    )
    normal = F.relu(expected / (1 + first.norm.eps) ** 0.5).transpose(1, 2)[mask]
    torch.testing.assert_close(first(pixels, mask), normal, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_pixels_are_averaged_and_normalised(dtype: torch.dtype) -> None:
    frames = torch.tensor([[[[0, 255, 51, 51], [0, 255, 51, 51]], [[9, 9, 9, 9], [9, 9, 9, 9]]]]).to(dtype)
    pixels = Pixels(PixelConfig(mean=0.25, deviation=0.5, shrink=2))
    found = pixels(frames, torch.tensor([[True, False]]))
    torch.testing.assert_close(found, torch.tensor([[[[0.5, -0.1]], [[0.0, 0.0]]]]))


@FRONTS
def test_each_frame_has_its_features(config: PaperFrontConfig | SmallFrontConfig) -> None:
    frames, lengths = clips([6, 3])
    assert front_end(config)(frames, length_mask(lengths)).shape == (2, 6, 10)


@FRONTS
@pytest.mark.parametrize("training", [False, True])
def test_padding_never_counts(config: PaperFrontConfig | SmallFrontConfig, training: bool) -> None:
    """Other padding, and more of it, gives the same features, gradients and statistics, in training too."""
    torch.manual_seed(0)
    front = front_end(config).train(training)
    state = {name: value.clone() for name, value in front.state_dict().items()}
    frames, lengths = clips([6, 3])
    longer = torch.full((2, 9, 12, 16), 200, dtype=torch.uint8)
    longer[0, :6], longer[1, :3] = frames[0], frames[1, :3]
    found = []
    for batch in (frames, longer):
        front.load_state_dict(state)
        front.zero_grad()
        features = front(batch, length_mask(lengths, batch.shape[1]))
        features.square().sum().backward()
        gradients = [parameter.grad.clone() for parameter in front.parameters()]
        found.append((features[:, :6], gradients, [buffer.clone() for buffer in front.buffers()]))
    torch.testing.assert_close(found[0], found[1])
    assert not found[0][0][1, 3:].any() and found[0][0][1, :3].any()


@FRONTS
def test_a_clip_alone_and_in_a_batch_has_the_same_features(config: PaperFrontConfig | SmallFrontConfig) -> None:
    torch.manual_seed(0)
    front = front_end(config).eval()
    frames, lengths = clips([6, 3])
    together = front(frames, length_mask(lengths))
    alone = front(frames[1:, :3], torch.ones(1, 3, dtype=torch.bool))
    torch.testing.assert_close(together[1:, :3], alone)


@FRONTS
def test_a_frame_is_seen_two_frames_away_and_no_further(config: PaperFrontConfig | SmallFrontConfig) -> None:
    torch.manual_seed(0)
    front = front_end(config).eval()
    frames, lengths = clips([9])
    changed = frames.clone()
    changed[0, 4] = 255 - changed[0, 4]
    mask = length_mask(lengths)
    moved = (front(frames, mask) - front(changed, mask)).abs().amax(dim=-1)[0]
    assert (moved > 0).tolist() == [2 <= time <= 6 for time in range(9)]
