"""Training a Transformer TTS."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from recipes.tts.common.dataset import TtsDataset
from recipes.tts.common.init import InitSection, open_start
from recipes.tts.common.manifest import Manifest
from recipes.tts.common.monitor import StageMonitor
from recipes.tts.common.training import learn, log_size
from recipes.tts.transformer.pictures import attention_figure, draw_attention
from recipes.tts.transformer.task import Held, TransformerTask, attentions, following_rates
from speechkd.align.attention import Head, choose_head
from speechkd.features.statistics import Statistics
from speechkd.models.tts.config import NetworkConfig, PitchConfig
from speechkd.models.tts.load import save_model
from speechkd.models.tts.transformer import TransformerTts
from speechkd.models.tts.transformer_config import TransformerConfig, TransformerNetwork
from speechkd.runner import Context
from speechkd.text import SymbolTable
from speechkd.training.seeds import derive_seed

PICTURED = 4
#: The features that a batch holds besides what this model reads: the cheapest.
_UNUSED = NetworkConfig(pitch=PitchConfig(target="none"))


def run(cfg: Any, ctx: Context, output: str = "model", init: InitSection | None = None) -> None:
    """Write the artifact `output`: model.json, model.safetensors, history.jsonl, head.json, attention/*.png.

    With the voice of `init` to start from, also transfer.json.
    cfg has the sections of `TransformerSections`: the whole configuration of this recipe, or another's `teacher`.
    """
    manifest = Manifest.read(ctx.input("manifest"))
    dataset = dataset_of(ctx.input("features"), ctx.input("spoken"), manifest.speaker_numbers())
    if start := open_start(init):
        dataset.statistics = start.statistics(dataset.statistics)
    train, valid = dataset.learned_and_chosen_by(manifest.splits)
    torch.manual_seed(derive_seed(cfg.train.seed, purpose="weights"))
    model = TransformerTts(model_config(cfg.model, dataset.symbols, dataset.statistics, manifest.speakers))
    account = start.fill(model, dataset.symbols, ctx.log) if start else None
    log_size(ctx, model, len(train))
    monitor = StageMonitor(ctx, cfg.train.max_steps)
    task = TransformerTask(
        model, dataset, train, valid, cfg.train.batch_frames, cfg.augment, cfg.guide, cfg.loss, cfg.check,
        lambda held: show(held, monitor),
    )  # fmt: skip

    def save(out: Path, trained: TransformerTts) -> None:
        head = finish(out, trained, dataset, valid)
        figures = (head.layer, head.head, head.focus_rate)
        ctx.log.info("durations are read from layer %d, head %d: focus rate %.3f", *figures)

    learn(ctx, task, cfg.train, account, output=output, save=save, monitor=monitor)


def dataset_of(features: Path, tokens: Path, speakers: Mapping[str, int] | None = None) -> TtsDataset:
    """The corpus as this model reads it; speakers: the number of each utterance's."""
    return TtsDataset(features, tokens, _UNUSED, speakers)


def model_config(
    network: TransformerNetwork, symbols: SymbolTable, statistics: Statistics, speakers: Sequence[str] = ()
) -> TransformerConfig:
    """What rebuilds the model; its head is chosen when it is trained."""
    return TransformerConfig(
        network=network,
        n_symbols=len(symbols),
        n_mels=len(statistics.mel_mean),
        speakers=tuple(speakers) if len(speakers) > 1 else (),
        mel_mean=tuple(statistics.mel_mean),
        mel_deviation=tuple(statistics.mel_deviation),
    )


def show(held: Held, monitor: StageMonitor) -> None:
    """The focus rate of every head in the log, and a picture of one utterance's attention in TensorBoard."""
    rates = "  ".join(" ".join(f"{rate:.2f}" for rate in layer) for layer in held.rates)
    monitor.message(f"focus rates by layer: {rates}")
    monitor.writer.add_figure("attention", attention_figure(held.attention), held.step)


def finish(out: Path, model: TransformerTts, dataset: TtsDataset, valid: Sequence[str]) -> Head:
    """Choose the head by the validation utterances and write all that a trained model is, in evaluation mode."""
    model.eval()
    (out / "attention").mkdir()
    rates = []
    for number, id_ in enumerate(sorted(valid)):
        attention = forced_attention(model, dataset, id_)
        rates.append(following_rates(attention))
        if number < PICTURED:
            draw_attention(out / "attention" / f"{id_}.png", attention, id_, dataset.tokens.meta(id_)["symbols"])
    head = choose_head(rates)
    table = np.round(np.mean(rates, axis=0), 6).tolist()
    record = {"layer": head.layer, "head": head.head, "focus_rate": round(head.focus_rate, 6), "rates": table}
    (out / "head.json").write_text(json.dumps(record, indent=1, sort_keys=True), encoding="utf-8")
    model.config = model.config.model_copy(update={"head": (head.layer, head.head)})
    save_model(out, model)
    return head


def forced_attention(model: TransformerTts, dataset: TtsDataset, id_: str) -> Any:
    """The attention (L, H, F, T) of a teacher-forced pass over one utterance."""
    batch = dataset.batch([id_]).to(model.mel_project.weight.device)
    with torch.inference_mode():
        output = model(batch.tokens, batch.token_lengths, batch.mel, batch.mel_lengths, batch.speakers)
    return attentions(output, batch)[0]
