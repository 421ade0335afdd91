"""MFA's output folder as TextGrids by utterance id with the text's own words, and reasons for those that lack one."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from speechkd.align.given import REASONS_FILE
from speechkd.align.mfa.export import Export
from speechkd.align.textgrid import read_textgrid, write_textgrid
from speechkd.align.types import AlignInput, Alignment
from speechkd.errors import DataError

#: Files in which versions of MFA tell of utterances that they did not align or could not write.
_REPORTS = ("unaligned.txt", "output_errors.txt")

_NO_REASON = "MFA wrote no TextGrid for it and no reason; often the text is not what is said, or the beam is too narrow"


def import_textgrids(utterances: Sequence[AlignInput], export: Export, output: Path, log: Path, result: Path) -> int:
    """Write `<id>.TextGrid` into `result` for all that `output` has, and reasons.json; the number of missing ones.

    `result` is made anew.
    """
    shutil.rmtree(result, ignore_errors=True)
    result.mkdir()
    found = {path.stem: path for path in sorted(output.glob("**/*.TextGrid"))}
    reports = [path for name in _REPORTS for path in sorted(output.glob(f"**/{name}"))]
    told = _told(reports, log)
    reasons: dict[str, str] = {}
    for utterance in utterances:
        name = export.files[utterance.id]
        if name not in found:
            reasons[utterance.id] = f"MFA did not align it: {told[name]}" if name in told else _NO_REASON
            continue
        try:
            alignment = read_textgrid(found[name])
        except DataError as error:
            reasons[utterance.id] = f"MFA wrote a TextGrid that is no alignment: {error.what}: {error.why}"
            continue
        path = result / f"{utterance.id}.TextGrid"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_textgrid(path, _with_own_words(alignment, utterance, export))
    text = json.dumps(reasons, ensure_ascii=False, indent=1, sort_keys=True)
    (result / REASONS_FILE).write_text(text, encoding="utf-8")
    return len(reasons)


def _with_own_words(alignment: Alignment, utterance: AlignInput, export: Export) -> Alignment:
    """The alignment with the words of the text for the names under which they went out.

    Where MFA has as many words, they are the text's, in order, its `<unk>` too. Else each name is undone by itself and
    the reader says where the two differ.
    """
    own = [word.text for word in utterance.text_tokens.words]
    if len(own) != len(alignment.words):
        back = {name: word for word, name in export.words.items()}
        own = [back.get(word.label, word.label) for word in alignment.words]
    words = zip(alignment.words, own, strict=True)
    return replace(alignment, words=tuple(replace(interval, label=label) for interval, label in words))


def _told(reports: Sequence[Path], log: Path) -> dict[str, str]:
    """The reason that a report or the log gives, by the name of the file."""
    told: dict[str, str] = {}
    text = log.read_text(encoding="utf-8", errors="replace")
    for name in re.findall(r"Did not successfully decode (?:file|utterance) ([\w-]+)", text):
        told[name] = "no path through the recording fits the text (beam too narrow)"
    for path in reports:
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            name, _, reason = line.strip().partition(":" if path.name == "output_errors.txt" else "\t")
            if name and not re.search(r"\s", name):
                told[name] = reason.strip() or f"listed in {path.name}"
    return told
