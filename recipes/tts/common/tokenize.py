"""Text to tokens."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

from recipes.tts.common.manifest import Manifest
from speechkd.runner import Context, Item, ItemStore
from speechkd.text import Frontend, Tokens, make_frontend, symbols_for

# A fallback pronounced every other word.
_LISTED = ("lexicon", "user", "inline", "espeak")


def run(cfg: Any, ctx: Context) -> None:
    """Write `tokens`: an item per utterance, symbols.json, and oov.tsv with every word outside the lexicons."""
    out = ctx.output("tokens")
    manifest = Manifest.read(ctx.input("manifest"))
    items = ((utterance.id, utterance.text) for utterance in manifest.utterances)
    reading = (cfg.text.language, cfg.text.lexicon, cfg.text.day_first)
    ctx.map(_tokens, items, "tokens", common=reading, max_errors=cfg.run.max_errors)
    store = ItemStore(out)
    table = symbols_for(cfg.text.language, (Tokens.from_json(store.meta(id_)) for id_ in store.ids))
    symbols = json.dumps(table.to_json(), ensure_ascii=False, indent=1, sort_keys=True)
    (out / "symbols.json").write_text(symbols, encoding="utf-8")
    unknown = unknown_words(Tokens.from_json(store.meta(id_)) for id_ in store.ids)
    lines = [f"{word}\t{' '.join(phones)}\t{source}\n" for (word, phones, source) in unknown]
    (out / "oov.tsv").write_text("word\tphones\tsource\n" + "".join(lines), encoding="utf-8")
    ctx.log.info("%d words outside the lexicon, listed in %s", len(unknown), "tokens/oov.tsv")


def _tokens(_id: str, text: str, reading: tuple[str, Path | None, bool]) -> Item:
    return Item(meta=frontend(*reading).tokens(text).to_json())


@lru_cache(maxsize=2)
def frontend(language: str, lexicon: Path | None, day_first: bool) -> Frontend:
    """The text front end, once per process."""
    return make_frontend(language, lexicon, day_first=day_first)


def unknown_words(utterances: Iterable[Tokens]) -> list[tuple[str, tuple[str, ...], str]]:
    """Each word that needed a fallback, with its phones and the fallback's name, sorted."""
    found = {
        (word.text, word.phones, word.source)
        for tokens in utterances
        for word in tokens.words
        if word.source not in _LISTED
    }
    return sorted(found)
