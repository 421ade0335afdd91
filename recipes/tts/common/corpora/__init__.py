"""The corpora that recipes know by name. A corpus is a reader and, where one is known, a download.

To add one, write its reader in a module beside `ljspeech.py` and a line in `CORPORA`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from recipes.tts.common.corpora.ljspeech import LJSPEECH_ARCHIVE, read_ljspeech
from speechkd.data.corpus import Corpus
from speechkd.data.download import Archive, Progress, locate_corpus

__all__ = ["CORPORA", "CorpusKind", "corpus_kind", "locate", "read_corpus", "read_ljspeech"]


@dataclass(frozen=True)
class CorpusKind:
    """How a corpus is read, and where it can be had (None: bring your own folder)."""

    read: Callable[[Path], Corpus]
    archive: Archive | None = None


CORPORA: dict[str, CorpusKind] = {"ljspeech": CorpusKind(read_ljspeech, LJSPEECH_ARCHIVE)}


def corpus_kind(name: str) -> CorpusKind:
    """The entry of `CORPORA`; any other name is the user's own folder in the layout of LJSpeech."""
    return CORPORA.get(name, CorpusKind(read_ljspeech))


def locate(name: str, folder: Path | None, cache: Path, progress: Progress | None = None) -> Path:
    """The folder of corpus `name`: `folder` if it is there, else downloaded to `cache` if a download is known."""
    return locate_corpus(name, folder, cache, corpus_kind(name).archive, progress)


def read_corpus(name: str, folder: Path) -> Corpus:
    """Read the corpus `name` from `folder` with its reader."""
    return corpus_kind(name).read(folder)
