"""The aligner for the training loop: its batches, and losses that go from all paths to the best one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from recipes.tts.common.mas_training.priors import beta_binomial, quiet_is_silent
from speechkd.align.mas.features import hear
from speechkd.align.mas.graph import Graph, build_graph
from speechkd.align.mas.loss import binarisation_loss, forward_sum_loss
from speechkd.align.mas.network import StateClassifier
from speechkd.align.types import AlignInput
from speechkd.audio.io import read_audio
from speechkd.data.batching import plan_batches

#: Shares of the run: as long as the priors hold (they fade), and as long as all paths count; then the best one does.
PRIOR_SHARE = 0.25
FORWARD_SUM_SHARE = 0.5

_VALIDATED = 32  # utterances; all were trained on, there is nothing to generalise to
_KEPT = 2048  # utterances whose features stay in memory, a tenth of a megabyte each
_PRIORS_KEPT = 512  # those whose priors do, about a megabyte each


@dataclass
class Example:
    """An utterance: `frames` (F, N_FEATURES), `silence` (F,), and its graph of S states."""

    id: str
    frames: Tensor
    silence: NDArray[np.float32]
    graph: Graph


@dataclass
class Batch:
    """Examples and their frames padded to the longest (B, F, N_FEATURES)."""

    frames: Tensor
    examples: list[Example]

    def to(self, device: torch.device | str) -> Batch:
        """The same batch on another device."""
        return Batch(self.frames.to(device), self.examples)


class Training(nn.Module):
    """The network and how many steps it was trained: both are in a checkpoint, so a resumed run goes on as it was."""

    steps: Tensor

    def __init__(self, network: StateClassifier) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))


class AlignerTask:
    """Forward sum with priors, then without, then binarisation: the losses of Badlani et al. 2021, one after the other.

    In the last phase the best path of every utterance is found anew at each step and taken for the truth (Viterbi
    training), which is what makes boundaries sharp.
    """

    def __init__(
        self,
        network: StateClassifier,
        utterances: Sequence[AlignInput],
        n_frames: Mapping[str, int],
        batch_frames: int,
        max_steps: int,
    ) -> None:
        self.model: nn.Module = Training(network)
        self.inventory = network.inventory
        self.utterances = {each.id: each for each in utterances}
        self.n_frames = n_frames
        self.batch_frames = max(batch_frames, *n_frames.values())
        self.max_steps = max_steps
        self.example = lru_cache(maxsize=_KEPT)(self._example)
        self.prior = lru_cache(maxsize=_PRIORS_KEPT)(self._prior)

    def epoch(self, seed: int, epoch: int) -> Sequence[Sequence[str]]:
        """Batches of utterances of similar length."""
        return plan_batches(self.n_frames, self.batch_frames, seed, epoch)

    def load(self, ids: Sequence[str]) -> Batch:
        """The padded batch of these utterances."""
        examples = [self.example(id_) for id_ in ids]
        return Batch(pad_sequence([each.frames for each in examples], batch_first=True), examples)

    def _example(self, id_: str) -> Example:
        utterance = self.utterances[id_]
        audio = read_audio(utterance.audio_path)
        heard = hear(audio.samples, audio.sample_rate, id_)
        graph = build_graph(utterance.text_tokens, self.inventory)
        return Example(id_, torch.from_numpy(heard.frames), heard.silence, graph)

    def _prior(self, id_: str) -> Tensor:
        """Log prior (F, S) of an utterance's states."""
        example = self.example(id_)
        pace = beta_binomial(example.graph.places, example.graph.length, len(example.frames))
        return torch.from_numpy(pace + quiet_is_silent(example.silence, example.graph))

    def losses(self, model: nn.Module, batch: Batch, step: int = 0) -> Mapping[str, Tensor]:
        """The loss of the phase that the run is in, per frame."""
        assert isinstance(model, Training)
        if model.training:
            model.steps += 1
        progress = float(model.steps) / self.max_steps
        fade = max(0.0, 1.0 - progress / PRIOR_SHARE)
        name = "forward_sum" if progress <= FORWARD_SUM_SHARE else "binarisation"
        log_posteriors = model.network(batch.frames)
        terms = [
            self._loss(model.network, log_posteriors[row, : len(each.frames)], each, name, fade)
            for row, each in enumerate(batch.examples)
        ]
        return {name: torch.stack(terms).sum() / sum(len(each.frames) for each in batch.examples)}

    def _loss(
        self, network: StateClassifier, log_posteriors: Tensor, example: Example, name: str, fade: float
    ) -> Tensor:
        if network.training:
            network.note_share(log_posteriors)
        states, sources = torch.from_numpy(example.graph.states), example.graph.sources
        scores = network.scaled(log_posteriors)[:, states]
        if name == "binarisation":
            return binarisation_loss(log_posteriors[:, states], scores, sources)
        if fade:
            scores = scores + fade * self.prior(example.id).to(scores.device)
        return forward_sum_loss(scores, sources)

    def validate(self, model: nn.Module, device: torch.device) -> Mapping[str, float]:
        """The loss of the current phase over some utterances."""
        ids = sorted(self.utterances)[:_VALIDATED]
        with torch.inference_mode():
            rows = [self.losses(model, self.load([id_]).to(device)) for id_ in ids]
        return {"loss": sum(float(value) for row in rows for value in row.values()) / len(rows)}
