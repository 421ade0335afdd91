"""The corpora that recipes know by name. A corpus is a reader, its layout and, where one is known, a download.

To add one, write its reader in a module beside `ljspeech.py` and a line in `CORPORA`.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from recipes.tts.common.corpora.folder import FOLDER_LAYOUT, read_folder
from recipes.tts.common.corpora.grid import GRID_LAYOUT, read_grid
from recipes.tts.common.corpora.hifitts import HIFITTS_LAYOUT, read_hifitts
from recipes.tts.common.corpora.joined import read_joined
from recipes.tts.common.corpora.layout import Layout
from recipes.tts.common.corpora.libritts import LIBRITTS_LAYOUT, read_libritts
from recipes.tts.common.corpora.ljspeech import LJSPEECH_ARCHIVE, LJSPEECH_LAYOUT, read_ljspeech
from recipes.tts.common.corpora.vctk import VCTK_LAYOUT, read_vctk
from speechkd.data.corpus import Corpus, Problem, Severity
from speechkd.data.download import Archive, Progress, locate_corpus
from speechkd.errors import UsageError

__all__ = [
    "CORPORA", "CorpusKind", "Layout", "corpus_kind", "guess_corpus", "known_kind", "locate", "read_corpus",
    "read_ljspeech",
]  # fmt: skip


@dataclass(frozen=True)
class CorpusKind:
    """How a corpus is read, what its folder looks like, and where it can be had (None: bring your own folder).

    `options` are the choices that its reader has, each with a sentence about it. `speaker` is who speaks in a corpus
    of one voice.
    """

    read: Callable[..., Corpus]
    archive: Archive | None = None
    layout: Layout | None = None
    title: str = ""
    speaker: str = ""
    licence: str = ""
    size: str = ""
    options: Mapping[str, str] = field(default_factory=dict)


_LIBRITTS_OPTIONS = {
    "text": "normalized (numbers as words) or original",
    "subsets": "which of the folders, such as dev-clean,test-clean; all that are there if not given",
}

CORPORA: dict[str, CorpusKind] = {
    "ljspeech": CorpusKind(
        read_ljspeech, LJSPEECH_ARCHIVE, LJSPEECH_LAYOUT, "LJSpeech 1.1", "Linda Johnson", "public domain",
        "1 speaker, 24 h",
    ),
    "vctk": CorpusKind(
        read_vctk, None, VCTK_LAYOUT, "CSTR VCTK 0.92", "", "CC BY 4.0", "110 speakers, 44 h",
        {"mic": "mic1 (omni-directional) or mic2 (lacks p280 and p315)"},
    ),
    "libritts": CorpusKind(
        read_libritts, None, LIBRITTS_LAYOUT, "LibriTTS", "", "CC BY 4.0", "2,456 speakers, 585 h", _LIBRITTS_OPTIONS
    ),
    "libritts-r": CorpusKind(
        read_libritts, None, LIBRITTS_LAYOUT, "LibriTTS-R", "", "CC BY 4.0", "2,456 speakers, 585 h", _LIBRITTS_OPTIONS
    ),
    "hifitts": CorpusKind(
        read_hifitts, None, HIFITTS_LAYOUT, "Hi-Fi TTS", "", "CC BY 4.0", "10 speakers, 292 h",
        {"text": "text_normalized (with punctuation), text (none, lower case) or text_no_preprocessing"},
    ),
    "grid": CorpusKind(
        read_grid, None, GRID_LAYOUT, "GRID audiovisual sentences", "", "CC BY 4.0", "34 speakers, 28 h of film",
        {"speakers": "which of them, such as s1,s2; all that are there if not given"},
    ),
    "folder": CorpusKind(
        read_folder, None, FOLDER_LAYOUT, "your own recordings", "", "", "any",
        {
            "columns": "what the table holds, such as id,speaker,text; - for a column that is not needed",
            "delimiter": "bar, comma or tab",
            "language": "of the texts, such as en",
        },
    ),
    "joined": CorpusKind(
        read_joined, None, None, "several corpora of one voice each, laid out like LJSpeech", "", "", "any",
        {
            "folders": "of the corpora, within corpus.dir, such as ann,ben; all that are there if not given",
            "speakers": "who speaks in each, in the same order; the names of the folders if not given",
        },
    ),
}  # fmt: skip


def corpus_kind(name: str) -> CorpusKind:
    """The entry of `CORPORA`; any other name is the user's own folder in the layout of LJSpeech."""
    return CORPORA.get(name, CorpusKind(read_ljspeech, layout=LJSPEECH_LAYOUT))


def known_kind(name: str) -> CorpusKind:
    """The entry of `CORPORA`. Raises `UsageError` for any other name, with the nearest one."""
    if name in CORPORA:
        return CORPORA[name]
    close = difflib.get_close_matches(name, CORPORA, n=1)
    todo = f"Did you mean {close[0]}?" if close else f"Known: {', '.join(CORPORA)}."
    raise UsageError(f"No corpus is called {name!r}", todo=todo)


def guess_corpus(folder: Path) -> str:
    """The name of the first layout that `folder` has: ljspeech when it has none, which then says what is missing."""
    return next((name for name, kind in CORPORA.items() if kind.layout and not kind.layout.missing(folder)), "ljspeech")


def locate(name: str, folder: Path | None, cache: Path, progress: Progress | None = None) -> Path:
    """The folder of corpus `name`: `folder` if it is there, else downloaded to `cache` if a download is known."""
    return locate_corpus(name, folder, cache, corpus_kind(name).archive, progress)


def read_corpus(name: str, folder: Path, options: Mapping[str, str] | None = None) -> Corpus:
    """Read the corpus `name` from `folder` with its reader.

    Raises `DataError` when the folder is laid out otherwise, `UsageError` for an option that the reader does not have.
    """
    kind = corpus_kind(name)
    for option in options or {}:
        if option not in kind.options:
            known = ", ".join(kind.options) or "none"
            raise UsageError(f"Corpus {name} has no option {option!r}", todo=f"Its options: {known}.")
    if kind.layout:
        kind.layout.check(name, folder)
    return _with_sound_ids(kind.read(folder, **(options or {})))


def _with_sound_ids(corpus: Corpus) -> Corpus:
    """Ids made of file names may hold anything; those that cannot be written down are problems."""
    odd = [each for each in corpus.utterances if not each.id.isprintable()]
    if not odd:
        return corpus
    what, todo = "has a name that cannot be written down", "Rename it."
    found = [Problem(Severity.ERROR, "bad_id", each.id, corpus.place(each.audio_path), what, todo) for each in odd]
    sound = tuple(each for each in corpus.utterances if each.id.isprintable())
    return replace(corpus, utterances=sound, problems=(*corpus.problems, *found))
