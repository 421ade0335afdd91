"""Packing the trained model into a voice."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from recipes.tts.common.infer import PREDICTED, RECORDING
from recipes.tts.common.origin import STARTED, Origin, Taught, licences, origins
from recipes.tts.common.results import METRICS, command
from speechkd.hub.fetch import fetch_files
from speechkd.models.tts.interface import makes_samples
from speechkd.models.tts.load import load_model
from speechkd.models.vocoder.load import load_vocoder
from speechkd.runner import Context
from speechkd.synthesis.manifest import VoiceSource
from speechkd.synthesis.pack import pack_voice
from speechkd.text import SymbolTable, read_lexicon


def run(cfg: Any, ctx: Context) -> None:
    """Write `voice`: a folder for `speechkd synthesize --voice` and `speechkd.load_voice`."""
    scores = json.loads((ctx.input("scores") / "scores.json").read_text(encoding="utf-8"))
    symbols = SymbolTable.from_json(json.loads((ctx.input("tokens") / "symbols.json").read_text(encoding="utf-8")))
    model = load_model(ctx.input("model"))
    vocoder = (
        None
        if makes_samples(model)
        else load_vocoder(cfg.vocoder, cfg.audio.mel, fetch_files, cfg.audio.vocoder_level_db)
    )
    vocoder_name, starts = cfg.vocoder.type if vocoder else "none", origins(ctx.input("model"))
    taught = Taught.read(ctx.input("model"))
    pack_voice(
        ctx.output("voice"),
        name=cfg.pack.name,
        acoustic=model,
        vocoder=vocoder,
        symbols=symbols,
        mel_preset_name=cfg.audio.mel,
        card=card(cfg, scores, vocoder_name, starts, taught),
        lexicon=_own_words(cfg.text.lexicon),
        language=cfg.text.language,
        day_first=cfg.text.day_first,
        source=VoiceSource(
            recipe=cfg.recipe,
            corpus=cfg.corpus.title or cfg.corpus.name,
            licence=licences(cfg.corpus.licence, *starts.values()),
            vocoder=vocoder_name,
        ),
        half=cfg.pack.half,
        onnx=cfg.pack.onnx,
        int8=cfg.pack.int8,
    )


def _own_words(path: Path | None) -> dict[str, tuple[str, ...]]:
    if path is None:
        return {}
    lexicon = read_lexicon(path)
    return {word: lexicon.variants(word)[0] for word in lexicon.words()}


def card(
    cfg: Any,
    scores: dict[str, Any],
    vocoder: str,
    starts: Mapping[str, Origin] | None = None,
    taught: Taught | None = None,
) -> str:
    """The voice's card: what it was made from, under which licence, how near it comes."""
    learned = f"| taught by | {taught.in_words()} |\n" if taught else ""
    learned += "".join(f"| {name} | {start.in_words()} |\n" for name, start in (starts or {}).items())
    return f"""# {cfg.pack.name}

| | |
|---|---|
| recipe | {cfg.recipe}, {cfg.train.max_steps} steps, seed {cfg.train.seed} |
| command | `{command(cfg, (starts or {}).get(STARTED), taught)}` |
| recordings | {cfg.corpus.title or cfg.corpus.name} |
| speaker | {cfg.corpus.speaker or "not stated"} |
| licence of the recordings | {cfg.corpus.licence or "not stated"} |
{learned}| vocoder | {vocoder} |

Over {scores["utterances"]} held-out sentences, everything predicted:

| | |
|---|---|
{_measured(scores)}
Speak with it: `speechkd synthesize "Hello." --voice THIS_FOLDER -o hello.wav`
"""


def _measured(scores: dict[str, Any]) -> str:
    """A line per figure that was measured; word errors beside those of the recordings, if these were listened to."""
    lines = ""
    for key, title, form in METRICS:
        if (value := scores[PREDICTED].get(key)) is None:
            continue
        own = scores.get(RECORDING, {}).get(key)
        lines += (
            f"| {title} | {form.format(value)}{f' (the recordings: {form.format(own)})' if own is not None else ''} |\n"
        )
    return lines
