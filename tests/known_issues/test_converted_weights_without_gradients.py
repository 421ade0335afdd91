"""With bfloat16, older versions of torch give no gradients to weights that a pass without gradients used before.

Parallel scheduled sampling has such a pass. Autocast keeps the weights that it converted there, so it must forget them.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from recipes.tts.transformer.config import AugmentSection
from recipes.tts.transformer.task import TransformerTask
from recipes.tts.transformer.train import dataset_of, model_config
from speechkd.models.tts.transformer import TransformerTts
from speechkd.models.tts.transformer_config import TransformerNetwork
from tests.recipes.tts.features import write_features

FFT = {"layers": 1, "heads": 2, "conv_channels": 8, "conv_kernel": 3}


def test_nothing_is_remembered_between_the_two_passes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data, events = dataset_of(*write_features(tmp_path)), []
    network = TransformerNetwork.model_validate({"hidden": 16, "encoder": FFT, "decoder": FFT})
    model = TransformerTts(model_config(network, data.symbols, data.statistics)).train()
    ids = ["u0", "u1"]
    task = TransformerTask(model, data, ids, ids, 400, AugmentSection(own_frames=0.5))
    forget = torch.clear_autocast_cache

    def noted() -> None:
        events.append("forgotten")
        forget()

    monkeypatch.setattr(torch, "clear_autocast_cache", noted)
    model.register_forward_pre_hook(lambda *_: events.append("gradients" if torch.is_grad_enabled() else "none"))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        torch.stack(list(task.losses(model, task.load(ids), 1).values())).sum().backward()
    assert [each for each in events if each != "forgotten"] == ["none", "gradients"]
    assert "forgotten" in events[events.index("none") : events.index("gradients")]
    assert all(each.grad is not None for name, each in model.named_parameters() if each.requires_grad)
