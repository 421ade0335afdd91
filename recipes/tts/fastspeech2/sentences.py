"""Sentences that nobody recorded: read from a file, as numbers of symbols."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recipes.tts.common.manifest import Manifest
from recipes.tts.common.teachers import sentences as said_in
from recipes.tts.common.texts import TextBatch, text_batch
from recipes.tts.common.tokenize import frontend
from speechkd.data.splits import same_words
from speechkd.errors import ConfigError, DataError
from speechkd.text import SymbolTable

# Their ids stand beside those of recordings, which come from file names.
_PREFIX = "text/"


@dataclass(frozen=True)
class Sentences:
    """Numbers of symbols by id. speakers: who reads which, the speakers of the corpus in turn."""

    numbers: Mapping[str, tuple[int, ...]]
    n_speakers: int = 1

    def __contains__(self, id_: str) -> bool:
        return id_ in self.numbers

    def __len__(self) -> int:
        return len(self.numbers)

    def batch(self, ids: Sequence[str]) -> TextBatch:
        """The padded batch of these sentences."""
        speakers = [int(id_.removeprefix(_PREFIX)) % self.n_speakers for id_ in ids]
        return text_batch(ids, [self.numbers[id_] for id_ in ids], speakers)

    def lengths(self, frames_per_token: float) -> dict[str, int]:
        """About how many frames each will last, by the pace of the corpus."""
        return {id_: max(1, round(len(row) * frames_per_token)) for id_, row in self.numbers.items()}

    def no_longer_than(self, n_tokens: int) -> Sentences:
        """Those that fit into a batch."""
        kept = {id_: row for id_, row in self.numbers.items() if len(row) <= n_tokens}
        return Sentences(kept, self.n_speakers)


def open_sentences(cfg: Any, manifest: Path, symbols: SymbolTable, log: logging.Logger) -> Sentences:
    """The sentences of `teachers.texts`, without those that are held out and those that cannot be said.

    Raises ConfigError where no file is given, or none of its sentences is of use.
    """
    path: Path | None = cfg.teachers.texts
    if path is None:
        raise ConfigError(
            "no texts for the teachers to read", where="teachers.texts", todo="Give a file: --set teachers.texts=FILE"
        )
    read, numbers = Manifest.read(manifest), {}
    held_out, refused, known = said_in(manifest, ("valid", "test")), 0, 0
    tokens_of = frontend(cfg.text.language, cfg.text.lexicon, cfg.text.day_first).tokens
    for place, text in enumerate(_lines(path)):
        if same_words(text) in held_out:
            known += 1
            continue
        try:
            numbers[f"{_PREFIX}{place}"] = tuple(symbols.encode(tokens_of(text).symbols))
        except DataError:
            refused += 1
    log.info("%d texts to read; left out: %d that are held out, %d that cannot be said", len(numbers), known, refused)
    if not numbers:
        raise ConfigError("no text that can be read", where=str(path), todo="Give a file with a sentence per line")
    return Sentences(numbers, len(read.speakers))


def _lines(path: Path) -> Iterator[str]:
    try:
        content = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError("the texts cannot be read", where=str(path), why=str(error)) from error
    seen: set[str] = set()
    for line in map(str.strip, content.splitlines()):
        if line and line not in seen:
            seen.add(line)
            yield line
