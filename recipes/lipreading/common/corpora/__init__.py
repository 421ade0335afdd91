"""The corpora of lip reading by name. To add one, write its reader in a module beside and a line in `CORPORA`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from recipes.lipreading.common.corpora.films import read_grid, read_lrw, read_lrw1000, read_video_text
from recipes.lipreading.common.corpora.generated import read_talker
from recipes.lipreading.common.corpora.packed import read_grid_packed
from recipes.lipreading.common.manifest import Corpus
from speechkd.errors import DataError

__all__ = ["CORPORA", "ClipCorpus", "read_corpus"]


@dataclass(frozen=True)
class ClipCorpus:
    """How a corpus is read, patterns that must each match in its folder, and the options of its reader."""

    read: Callable[..., Corpus]
    needs: tuple[str, ...] = ()
    options: Mapping[str, str] = field(default_factory=dict)


_NUMBER = r"[0-9]{1,6}"
_POSITIVE = r"[1-9][0-9]{0,5}"
CORPORA: dict[str, ClipCorpus] = {
    "grid": ClipCorpus(read_grid, ("s*/**/*.mpg", "**/*.align")),
    "grid_packed": ClipCorpus(
        read_grid_packed, ("transcripts.jsonl.gz", "mouth_50x100_jpeg.zip"), {"speaker": r"s[0-9]{1,2}"}
    ),
    "lrw": ClipCorpus(read_lrw, ("*/train/*.mp4",)),
    "lrw1000": ClipCorpus(read_lrw1000, ("info/trn_1000.txt", "images/*"), {"boundary": "exact|centred40"}),
    "video_text": ClipCorpus(read_video_text, ("metadata.csv",)),
    "talker": ClipCorpus(
        read_talker,
        options=dict.fromkeys(("train", "speakers", "held_out"), _POSITIVE)
        | dict.fromkeys(("valid", "test", "seed"), _NUMBER),
    ),
}


def read_corpus(name: str, folder: Path | None, options: Mapping[str, str]) -> Corpus:
    """The clips of a corpus. Raises DataError when its folder is absent or laid out otherwise, or holds no clip."""
    kind = CORPORA[name]
    if kind.needs and (folder is None or not folder.is_dir()):
        raise DataError("The corpus is not there", where=str(folder), todo="Give its folder as corpus.dir.")
    place = folder or Path()
    missing = [need for need in kind.needs if next(place.glob(need), None) is None]
    if missing:
        raise DataError(f"Not a {name} corpus", where=str(place), why=f"missing: {', '.join(missing)}")
    corpus = kind.read(place, **options)
    if not corpus.clips:
        why = "; ".join(corpus.problems[:3]) or "nothing in it can be read"
        raise DataError(f"No clip in the {name} corpus", where=str(place), why=why)
    return corpus
