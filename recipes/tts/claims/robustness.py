"""Words that are skipped or said again in hard sentences: heard by a recogniser, and seen in the models themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from recipes.tts.claims.listening import listen, listener_summary, try_listener
from recipes.tts.claims.names import COMPARED
from recipes.tts.claims.sentences import HardSentence, hard_sentences
from recipes.tts.claims.systems import finished
from recipes.tts.common.claims.speaking import Voicing, as_batch
from recipes.tts.common.claims.systems import System, write_json
from recipes.tts.common.tokenize import frontend
from speechkd.runner import Context, Item, ItemStore
from speechkd.text import Tokens


@dataclass(frozen=True)
class Setting:
    """What every sentence is spoken with."""

    systems: dict[str, System]
    voicing: Voicing
    reading: tuple[str, Path | None, bool]
    backward_tokens: int


def run(cfg: Any, ctx: Context) -> None:
    """Write `hard_sentences`: an item per system and sentence; `listener`; and `robustness`: robustness.json."""
    there = {name: each for name, each in finished(cfg.systems).items() if name in COMPARED}
    text, options = cfg.text, cfg.robustness
    reading = (text.language, text.lexicon, text.day_first)
    setting = Setting(there, Voicing.of(cfg), reading, options.backward_tokens)
    sentences = hard_sentences(options.sentences)
    items = [(f"{name}--{each.id}", (name, each)) for name in there for each in sentences]
    ctx.map(speak_hard, items, "hard_sentences", common=setting)
    store = ItemStore(ctx.output("hard_sentences"))
    found: dict[str, Any] = {"sentences": len(sentences), "systems": {}}
    for name in there:
        found["systems"][name] = system_summary([store.meta(f"{name}--{each.id}") for each in sentences])
    write_json(ctx.output("robustness") / "robustness.json", found | {"listener": _tested(there, options, ctx)})


def _tested(there: dict[str, System], options: Any, ctx: Context) -> dict[str, Any] | None:
    """How well the listener hears; None without a run that has spoken its held-out sentences."""
    able = [each for each in there.values() if each.has("samples", "alignment", "spoken")]
    ids = able[0].ids("test", within="samples", limit=options.controls) if able and options.controls else []
    ctx.map(try_listener, [(id_, None) for id_ in ids], "listener", common=able[0] if able else None)
    store = ItemStore(ctx.output("listener"))
    return listener_summary([store.meta(id_) for id_ in ids]) if ids else None


def speak_hard(_id: str, value: tuple[str, HardSentence], setting: Setting) -> Item:
    """Speak one sentence with one system, look into the model, and listen."""
    name, sentence = value
    system = setting.systems[name]
    tokens = frontend(*setting.reading).tokens(sentence.text)
    model = system.model()
    batch, lengths = as_batch(system.encoded(tokens))
    structure: dict[str, Any]
    if model.takes_durations:
        spoken = model.infer(batch, lengths)
        structure = student_structure(tokens, spoken.durations[0].numpy())
        samples = setting.voicing.sound(spoken)
    else:
        generated = model.generate(batch, seed=0)
        path = attended_tokens(model, generated.attention)
        structure = teacher_structure(tokens, path, setting.backward_tokens) | {"stopped": generated.stopped}
        samples = setting.voicing.voiced(generated.mel)[0].numpy()
    heard = listen(samples, setting.voicing.preset.sample_rate, tokens)
    seconds = round(len(samples) / setting.voicing.preset.sample_rate, 3)
    return Item(meta={"category": sentence.category, "heard": heard.to_json(), "seconds": seconds} | structure)


def student_structure(tokens: Tokens, durations: npt.NDArray[np.int64]) -> dict[str, Any]:
    """Phones and words without any frame. durations: (T,)."""
    empty = (durations == 0) & (np.asarray(tokens.word_index) >= 0)
    return {"phones": _n_phones(tokens), "phones_empty": int(empty.sum()), "words_empty": _words_within(tokens, empty)}


def teacher_structure(tokens: Tokens, path: npt.NDArray[np.int64], backward_tokens: int) -> dict[str, Any]:
    """Phones and words that the attention never looks at most; jumps back. path: the token of each frame (F,)."""
    seen = np.bincount(path, minlength=len(tokens)) > 0
    empty = ~seen & (np.asarray(tokens.word_index) >= 0)
    back = int(np.count_nonzero(np.diff(path) <= -backward_tokens))
    structure = {"phones": _n_phones(tokens), "phones_empty": int(empty.sum())}
    return structure | {"words_empty": _words_within(tokens, empty), "backward_jumps": back}


def attended_tokens(model: Any, attention: Any) -> npt.NDArray[np.int64]:
    """The token that the model's head looks at most in every frame (F,). attention: (L, H, F, T)."""
    from speechkd.align.attention import choose_head, focus_rate

    weights = attention.float().cpu().numpy()
    if model.config.head is None:
        best = choose_head([focus_rate(weights)])
        layer, head = best.layer, best.head
    else:
        layer, head = model.config.head
    path: npt.NDArray[np.int64] = weights[layer, head].argmax(axis=1)
    return path


def _n_phones(tokens: Tokens) -> int:
    return sum(word >= 0 for word in tokens.word_index)


def _words_within(tokens: Tokens, empty: npt.NDArray[np.bool_]) -> int:
    """Words all of whose phones are empty."""
    places = np.asarray(tokens.word_index)
    return sum(bool(empty[places == word].all()) for word in range(len(tokens.words)))


def system_summary(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Sums over sentences, and by category; a sentence is wrong however many errors it holds."""
    categories = list(dict.fromkeys(row["category"] for row in rows))
    return _sums(rows) | {
        "by_category": {each: _sums([row for row in rows if row["category"] == each]) for each in categories}
    }


def _sums(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {name: sum(row["heard"][name] for row in rows) for name in ("words", "skips", "repeats")}
    found["sentences"] = len(rows)
    found["sentences_wrong"] = sum(row["heard"]["wrong"] for row in rows)
    found["not_understood"] = sum(not row["heard"]["understood"] for row in rows)
    for name in ("phones", "phones_empty", "words_empty", "backward_jumps"):
        if name in rows[0]:
            found[name] = sum(row[name] for row in rows)
    if "stopped" in rows[0]:
        found["not_stopped"] = sum(not row["stopped"] for row in rows)
    found["structure_wrong"] = sum(structure_wrong(row) for row in rows)
    return found


def structure_wrong(row: dict[str, Any]) -> bool:
    """Whether the model itself shows an error: a word without a frame, a jump back, no end."""
    return bool(row["words_empty"] or row.get("backward_jumps") or not row.get("stopped", True))
