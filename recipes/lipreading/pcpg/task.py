"""Lip reading for the training loop: its batches, its losses, and how well held-out clips are read."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from recipes.lipreading.pcpg.config import CurriculumSection
from recipes.lipreading.pcpg.dataset import Batch, ClipDataset, augmented
from recipes.lipreading.pcpg.policy import (
    Pass,
    Policy,
    as_samples,
    cross_entropy,
    discriminative,
    freeze_statistics,
    sampled,
)
from speechkd.data.batching import plan_batches
from speechkd.distill.schedules import weight_at
from speechkd.losses.policy import logit_gradient, step_rewards
from speechkd.metrics.edits import character_errors
from speechkd.models.lipreading.decoder import Memory
from speechkd.models.lipreading.network import LipReader
from speechkd.models.lipreading.search import greedy
from speechkd.models.lipreading.symbols import PAD
from speechkd.training.seeds import derive_seed


class LipReadingTask:
    """(1 - w) · CE + w · scale · policy + c · CTC; w is 0 for cross-entropy alone."""

    def __init__(
        self, model: Policy, dataset: ClipDataset, train_ids: Sequence[str], valid_ids: Sequence[str], cfg: Any
    ) -> None:
        self.model: nn.Module = model
        self.dataset, self.cfg = dataset, cfg
        self.lengths = {id_: dataset.lengths[id_] for id_ in train_ids}
        valid = {id_: dataset.lengths[id_] for id_ in valid_ids}
        self.valid = plan_batches(valid, cfg.train.batch_frames, seed=0, epoch=0)
        self.place = (0, 0)
        self.scale = 1.0

    def epoch(self, seed: int, epoch: int) -> Sequence[Sequence[str]]:
        """Bucketed batches of one epoch: of all clips, or at first of the shortest."""
        self.place = (seed, epoch)
        used = shortest(self.lengths, self.dataset.texts, self.cfg.curriculum, epoch)
        return plan_batches(used, self.cfg.train.batch_frames, seed, epoch)

    def load(self, ids: Sequence[str]) -> Batch:
        """A padded batch of augmented clips; how is drawn by seed, epoch and clip alone."""
        seed, epoch = self.place
        level = round(255 * self.dataset.crop.mean)
        changed = {}
        for id_ in ids:
            draw = random.Random(derive_seed(seed, epoch=epoch, purpose=f"augment {id_}"))
            changed[id_] = augmented(self.dataset.frames(id_), self.cfg.augment, level, draw)
        return self.dataset.batch(ids, changed)

    def losses(self, model: nn.Module, batch: Batch, step: int) -> Mapping[str, Tensor]:
        """The weighted terms of a step."""
        assert isinstance(model, Policy)
        memory = self._encoded(model, batch)
        with torch.autocast(batch.frames.device.type, enabled=False):
            return self._terms(model, memory, batch, step)

    def _terms(self, model: Policy, memory: Memory, batch: Batch, step: int) -> dict[str, Tensor]:
        done = self.passed(model, memory, batch)
        terms = {"ce": done.cross_entropy}
        if done.policy is not None:
            weight = weight_at(self.cfg.objective.weight, step)
            terms = {"ce": (1.0 - weight) * done.cross_entropy, "policy": weight * self.scale * done.policy}
        if self.cfg.loss.ctc:
            terms["ctc"] = self.cfg.loss.ctc * ctc_loss(model.reader, memory, batch)
        return terms

    def _encoded(self, model: Policy, batch: Batch) -> Memory:
        if self.cfg.init is not None and self.cfg.init.freeze_batch_norm:
            freeze_statistics(model)
        return model.reader.encode(batch.frames, batch.lengths)

    def passed(self, model: Policy, memory: Memory, batch: Batch) -> Pass:
        """The decoder's pass that the objective asks for."""
        objective, smoothing = self.cfg.objective, self.cfg.loss.label_smoothing
        if objective.name == "ce":
            return discriminative(model.reader, memory, batch, smoothing)
        return sampled(model, memory, batch, objective, smoothing)

    def match_norms(self, device: torch.device) -> dict[str, float]:
        """Set the scale of the policy's gradient so that it has the norm of that of CE, at the logits and over some
        batches of the first epoch; the model is left as it was. Returns both norms and the scale.
        """
        model = self.model
        assert isinstance(model, Policy)
        mean = model.mean_return.clone()
        model.to(device).train()
        freeze_statistics(model)
        torch.manual_seed(derive_seed(self.cfg.train.seed, purpose="norms"))
        norms = [
            self._norms(model, self.load(ids).to(device))
            for ids in self.epoch(self.cfg.train.seed, 0)[: self.cfg.objective.match_batches]
        ]
        model.mean_return.copy_(mean)
        ce, policy = (sum(each) / len(norms) for each in zip(*norms, strict=True))
        self.scale = ce / policy if policy > 0 else 1.0
        return {"ce": ce, "policy": policy, "scale": self.scale}

    def _norms(self, model: Policy, batch: Batch) -> tuple[float, float]:
        with torch.no_grad():
            memory = model.reader.encode(batch.frames, batch.lengths)
        done = self.passed(model, memory, batch)
        assert done.policy is not None
        return float(logit_gradient(done.cross_entropy, done.logits)), float(logit_gradient(done.policy, done.logits))

    def validate(self, model: nn.Module, device: torch.device) -> Mapping[str, float]:
        """Of the validation clips: `loss`, cross-entropy per character; `cer`, read greedily; `forced_cer`, with the
        true characters before each; `reward`, 1 - CER by sentence; `length`, characters written by true ones; `ended`,
        the share of sentences that came to an end.
        """
        assert isinstance(model, Policy)
        rows: list[dict[str, float]] = []
        references, read, forced = [], [], []
        for ids in self.valid:
            with torch.inference_mode():
                row, texts, guesses = self._read(model.reader, self.dataset.batch(ids).to(device))
            rows += [row] * len(ids)
            references += [self.dataset.texts[id_] for id_ in ids]
            read += texts
            forced += guesses
        means = {name: sum(row[name] for row in rows) / len(rows) for name in rows[0]}
        cer, forced_cer = (character_errors(references, each).total_rate for each in (read, forced))
        return means | {"cer": cer, "forced_cer": forced_cer}

    def _read(self, reader: LipReader, batch: Batch) -> tuple[dict[str, float], list[str], list[str]]:
        memory = reader.encode(batch.frames, batch.lengths)
        logits = reader.score(memory, batch.text[:, None])[:, 0]
        written = greedy(reader, memory)
        best = as_samples(written)
        reward = step_rewards("terminal", best, batch.text, batch.text_lengths).sum(dim=2)
        characters = (best.lengths - best.ended.long())[:, 0] / batch.text_lengths
        row = {
            "loss": float(cross_entropy(logits, batch.text, 0.0)),
            "reward": float(reward.mean()),
            "length": float(characters.mean()),
            "ended": float(best.ended.float().mean()),
        }
        decode = reader.characters.decode
        forced = logits.argmax(dim=-1).masked_fill(batch.text == PAD, PAD)
        return (
            row,
            [decode(each) for each in written.symbols[:, 0].tolist()],
            [decode(each) for each in forced.tolist()],
        )


def ctc_loss(reader: LipReader, memory: Memory, batch: Batch) -> Tensor:
    """Graves et al., ICML 2006, per character: the text without its end, from the output per frame."""
    logs = reader.frame_logits(memory).float().log_softmax(dim=-1).transpose(0, 1)
    n_frames = memory.mask.sum(dim=1)
    return F.ctc_loss(logs, batch.text, n_frames, batch.text_lengths, blank=PAD, zero_infinity=True)


def shortest(
    lengths: Mapping[str, int], texts: Mapping[str, str], curriculum: CurriculumSection, epoch: int
) -> dict[str, int]:
    """The clips of an epoch with their frames: at first the shortest by frames, then by characters; later all."""
    if epoch >= curriculum.epochs:
        return dict(lengths)
    share = curriculum.start + (1.0 - curriculum.start) * epoch / curriculum.epochs
    order = sorted(lengths, key=lambda id_: (lengths[id_], len(texts[id_]), id_))
    return {id_: lengths[id_] for id_ in order[: max(1, round(share * len(order)))]}
