"""A corpus and its pronunciations as files for MFA: folders of speakers with .wav and .lab, and a dictionary.

Words go out under names of letters alone, since MFA cuts words at hyphens and apostrophes, strips the latter and makes
all lower case: "debtors'", "US" and "us" would not find their own entries. The names are undone in the TextGrids.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from speechkd.align.types import AlignInput
from speechkd.errors import DataError

#: Names that mean silence or an unknown word to MFA or to readers of TextGrids.
_RESERVED = frozenset({"sil", "sp", "spn", "pau", "eps", "unk", "laugh", "laughter", "cutoff", "bracketed"})

_PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,100}")


@dataclass(frozen=True)
class Export:
    """What was written, and the names in it: of a file by utterance id, of a word by the word."""

    corpus: Path
    dictionary: Path
    files: Mapping[str, str]
    words: Mapping[str, str]


def planned(utterances: Sequence[AlignInput], folder: Path) -> Export:
    """The export of `utterances` into `folder`, before anything is written; the same for the same utterances."""
    files = _plain_names((each.id for each in utterances), "u")
    words = _word_names(word.text for each in utterances for word in each.text_tokens.words)
    return Export(folder / "corpus", folder / "lexicon.dict", files, words)


def write_export(utterances: Sequence[AlignInput], export: Export, variants: bool) -> None:
    """Write corpus and dictionary anew. Raises `DataError` for a recording that cannot be read."""
    if export.corpus.parent.is_dir():
        shutil.rmtree(export.corpus.parent)
    export.corpus.mkdir(parents=True)
    speakers = _plain_names((each.speaker for each in utterances), "s")
    for utterance in utterances:
        folder = export.corpus / speakers[utterance.speaker]
        folder.mkdir(exist_ok=True)
        name = export.files[utterance.id]
        said = [export.words[word.text] for word in utterance.text_tokens.words]
        (folder / f"{name}.lab").write_text(" ".join(said) + "\n", encoding="utf-8", newline="\n")
        _put_audio(utterance.audio_path, folder / f"{name}.wav")
    lines = "".join(f"{word}\t{phones}\n" for word, phones in dictionary_rows(utterances, export.words, variants))
    export.dictionary.write_text(lines, encoding="utf-8", newline="\n")
    names = {"files": dict(export.files), "words": dict(export.words)}
    text = json.dumps(names, ensure_ascii=False, indent=1, sort_keys=True)
    (export.corpus.parent / "names.json").write_text(text, encoding="utf-8")


def dictionary_rows(
    utterances: Iterable[AlignInput], names: Mapping[str, str], variants: bool
) -> list[tuple[str, str]]:
    """(name of the word, phones) for every pronunciation of every word, sorted. Phones keep their stress digits."""
    rows = {
        (names[word.text], " ".join(phones))
        for utterance in utterances
        for word in utterance.text_tokens.words
        for phones in (word.phones, *(word.variants if variants else ()))
    }
    return sorted(rows)


def _word_names(words: Iterable[str]) -> dict[str, str]:
    """A name of lower-case letters for each word, its own where that is free."""
    names: dict[str, str] = {}
    # Words that are their own name come first, so that "us" is us and "US" is usqa.
    taken = set(_RESERVED)
    for word in sorted(set(words), key=lambda word: (_letters(word) != word, word)):
        name, number = _letters(word) or "q", 0
        while name in taken:
            name = f"{_letters(word)}q{_in_letters(number)}"
            number += 1
        taken.add(name)
        names[word] = name
    return names


def _letters(word: str) -> str:
    return "".join(character for character in word.lower() if character.isalpha())


def _in_letters(number: int) -> str:
    """0 → a, 25 → z, 26 → ba."""
    digits = ""
    while True:
        number, digit = divmod(number, 26)
        digits = chr(ord("a") + digit) + digits
        if not number:
            return digits


def _plain_names(ids: Iterable[str], prefix: str) -> dict[str, str]:
    """A file name for each id: itself where it is plain and, case apart, free; else a number."""
    names: dict[str, str] = {}
    taken: set[str] = set()
    ordered = sorted(set(ids))
    for place, identifier in enumerate(ordered):
        name, number = identifier, place
        while not _PLAIN_NAME.fullmatch(name) or name.casefold() in taken:
            name = f"{prefix}{number:06d}"
            number += len(ordered)
        taken.add(name.casefold())
        names[identifier] = name
    return names


def _put_audio(source: Path, target: Path) -> None:
    """A link to a 16-bit mono WAV file, a copy where links are not possible, a conversion of anything else."""
    from speechkd.audio.io import read_audio, write_audio

    if not is_pcm16_mono(source):
        audio = read_audio(source)
        write_audio(target, audio.samples, audio.sample_rate)
        return
    try:
        os.symlink(source.absolute(), target)
    except OSError:
        shutil.copyfile(source, target)


def is_pcm16_mono(path: Path) -> bool:
    """Whether the file is plain 16-bit PCM, one channel, in a sound RIFF/WAVE file."""
    from speechkd.audio.io import wav_header_problem

    try:
        with path.open("rb") as file:
            head = file.read(36)
        plain = wav_header_problem(path) is None
    except OSError as error:
        why = error.strerror or str(error)
        raise DataError("Cannot read the recording", where=str(path), why=why) from error
    if len(head) < 36 or head[:4] != b"RIFF" or head[8:16] != b"WAVEfmt ":
        return False
    coding, channels = struct.unpack("<HH", head[20:24])
    (bits,) = struct.unpack("<H", head[34:36])
    return plain and (coding, channels, bits) == (1, 1, 16)
