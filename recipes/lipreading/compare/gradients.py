"""How estimators of the policy gradient relate to the gradient of the expected CER, at the start of all arms.

Measured at the last layer of the decoder, where the gradient of a sentence has a closed form: G = Σ_t w_t (p_t - 1_t)
⊗ h_t, p_t being the probabilities, 1_t the drawn character, and h_t what the layer reads. Every estimator sees the same
sentences; the reference, the sentence-level return, sees as many others.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from recipes.lipreading.common.manifest import ClipManifest
from recipes.lipreading.pcpg.dataset import Batch, ClipDataset
from recipes.lipreading.pcpg.policy import as_samples
from speechkd.losses.policy import (
    Returns,
    Samples,
    leave_one_out,
    pseudo_convolution,
    reward_to_go,
    sentence_return,
    step_rewards,
)
from speechkd.models.lipreading.load import load_model
from speechkd.models.lipreading.network import LipReader, writable
from speechkd.models.lipreading.search import sample
from speechkd.models.lipreading.symbols import BOS, PAD
from speechkd.runner import Context, ItemStore
from speechkd.training.seeds import derive_seed

SENTENCE, TO_GO = "sentence", "reward_to_go"
STUDY = "gradients.json"


def run(cfg: Any, ctx: Context) -> None:
    """Write `gradients`: gradients.json, cosine and variance by estimator."""
    model = load_model(cfg.start / "model")
    store = ItemStore(cfg.start / "crops")
    ids = [id_ for id_ in ClipManifest.read(cfg.start / "manifest").splits["train"] if id_ in store]
    places = np.unique(np.linspace(0, len(ids) - 1, min(cfg.gradients.clips, len(ids))).astype(int))
    chosen = [ids[place] for place in places]
    dataset = ClipDataset(store, chosen, model.characters, model.config.crop)
    torch.manual_seed(derive_seed(cfg.gradients.seed, purpose="gradients"))
    sums: dict[str, _Moments] = {}
    for id_ in chosen:
        study_clip(model, dataset.batch([id_]), cfg.gradients, sums)
    found = {name: each.figures(sums[_REFERENCE]) for name, each in sums.items() if name != _REFERENCE}
    (ctx.output("gradients") / STUDY).write_text(json.dumps(found, indent=1), encoding="utf-8")


_REFERENCE = "reference"


class _Moments:
    """Sums over clips of the mean gradient, and of the variance around each clip's own mean."""

    def __init__(self) -> None:
        self.mean: Tensor = torch.zeros(())
        self.variance = 0.0

    def add(self, gradients: Tensor) -> None:
        """Gradients (S, P) of the samples of a clip."""
        self.mean = self.mean + gradients.mean(dim=0)
        self.variance += float(gradients.var(dim=0).sum())

    def figures(self, reference: _Moments) -> dict[str, float]:
        """cosine: of the mean gradients. variance: of one sample, in squared norms of the mean gradient."""
        cosine = F.cosine_similarity(self.mean, reference.mean, dim=0)
        return {"cosine": float(cosine), "variance": self.variance / float(self.mean.square().sum())}


@torch.no_grad()
def study_clip(model: LipReader, batch: Batch, how: Any, sums: dict[str, _Moments]) -> None:
    """Add the gradients of a clip, by estimator and for the reference."""
    for reference in (True, False):
        drawn, inputs, slopes = drawn_gradients(model, batch, how.samples)
        incremental = step_rewards(how.reward, drawn, batch.text, batch.text_lengths)
        terminal = step_rewards("terminal", drawn, batch.text, batch.text_lengths)
        for name, (rewards, credit) in estimators(how.kernels, incremental, terminal).items():
            if reference and name != SENTENCE:
                continue
            returns = credit(rewards, drawn.lengths)
            weights = returns.weights(leave_one_out(returns))
            gradients = torch.einsum("st,stv,sth->svh", weights[0], slopes[0], inputs[0]).flatten(1)
            sums.setdefault(_REFERENCE if reference else name, _Moments()).add(gradients)


def estimators(
    kernels: tuple[int, ...], rewards: Tensor, terminal: Tensor
) -> Mapping[str, tuple[Tensor, Callable[[Tensor, Tensor], Returns]]]:
    """By name: what steps earn, and how they are credited with it."""
    found: dict[str, tuple[Tensor, Callable[[Tensor, Tensor], Returns]]] = {
        SENTENCE: (terminal, sentence_return),
        TO_GO: (rewards, reward_to_go),
    }
    for kernel in kernels:
        found[f"k{kernel}"] = (rewards, _windowed(kernel))
    return found


def _windowed(kernel: int) -> Callable[[Tensor, Tensor], Returns]:
    return lambda rewards, lengths: pseudo_convolution(rewards, lengths, kernel, 1)


def drawn_gradients(model: LipReader, batch: Batch, n_samples: int) -> tuple[Samples, Tensor, Tensor]:
    """Samples of a clip; what the last layer read (1, S, T, H); and d(-log p) / d(logits) (1, S, T, n_symbols)."""
    memory = model.encode(batch.frames, batch.lengths)
    drawn = as_samples(sample(model, memory, n_samples))
    state = model.decoder.begin(memory, n_samples)
    inputs = []
    for before in F.pad(drawn.symbols[..., :-1], (1, 0), value=BOS).unbind(dim=2):
        state, _ = model.decoder.step(before, state, memory)
        inputs.append(state.fed)
    read = torch.stack(inputs, dim=2)
    probabilities = writable(model.decoder.out(read)).softmax(dim=-1)
    slopes = probabilities - F.one_hot(drawn.symbols, probabilities.shape[-1])
    return drawn, read, slopes.masked_fill((drawn.symbols == PAD)[..., None], 0.0)
