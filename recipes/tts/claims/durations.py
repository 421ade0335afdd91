"""Where phones begin and end: by the teacher's attention, and by the aligner, beside a reference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from recipes.tts.claims.robustness import attended_tokens
from recipes.tts.claims.systems import finished
from recipes.tts.common.claims.speaking import as_batch
from recipes.tts.common.claims.systems import MODEL, System, spread, write_json
from speechkd.align.compare import Comparison, compare_pairs
from speechkd.align.from_durations import alignment_from_durations
from speechkd.align.textgrid import find_textgrids, read_textgrid
from speechkd.align.types import Alignment
from speechkd.audio.presets import mel_preset
from speechkd.errors import DataError
from speechkd.runner import Context, Item, ItemStore
from speechkd.runner.records import RunFolder


@dataclass(frozen=True)
class Found:
    """The alignments of one source, by utterance."""

    name: str
    alignments: Mapping[str, Alignment]


def run(cfg: Any, ctx: Context) -> None:
    """Write `attended`: durations by the teacher's attention; and `durations`: durations.json."""
    there, options = finished(cfg.systems), cfg.durations
    teacher, reference = there.get("teacher"), _reference(options.reference, there)
    if options.skip_even:
        reference = dict(sorted(reference.items())[1::2])
    ids = _shared(teacher, reference, options.teacher_utterances) if teacher is not None else []
    ctx.map(attend, [(id_, None) for id_ in ids], "attended", common=teacher)
    found: dict[str, Any] = {"utterances": len(ids), "reference_grids": len(reference)}
    if teacher is not None and ids:
        hop_s = mel_preset(cfg.audio.mel).hop_s
        truth = {id_: read_textgrid(reference[id_]) for id_ in ids}
        attended = ItemStore(ctx.output("attended"))
        sources = (
            Found("attention", {id_: in_frames(teacher, id_, attended.array(id_, "durations"), hop_s) for id_ in ids}),
            Found("aligner_in_frames", {id_: _extracted(teacher, id_, hop_s) for id_ in ids}),
            Found("aligner", {id_: Alignment.from_json(teacher.store("alignment").meta(id_)) for id_ in ids}),
        )
        found["guide"] = guide(teacher)
        found["focus_rate"] = float(np.mean([attended.meta(id_)["focus_rate"] for id_ in ids]))
        found["errors"] = {source.name: compared(truth, source) for source in sources}
    write_json(ctx.output("durations") / "durations.json", found)


def guide(teacher: System) -> str:
    """What the run of a teacher asked its attention to follow: diagonal, alignment, none, or empty if it is not told.

    A student's run that took its teacher over from elsewhere does not know.
    """
    own = teacher.model_artifact == MODEL
    record = RunFolder(teacher.folder).read_record("train" if own else "teach")
    if record is None or record.plan.external.get("teacher.model", "none") != "none":
        return ""
    told, section = record.plan.slice, "guide" if own else "teacher.own.guide"
    if f"{section}.by" not in told:
        return ""
    return str(told[f"{section}.by"]) if told.get(f"{section}.weight") else "none"


def _reference(folder: Path | None, there: Mapping[str, System]) -> dict[str, Path]:
    """The reference's TextGrids by utterance: of a folder, or those that a corpus brings along; there may be none."""
    if folder is not None:
        if not folder.is_dir():
            raise DataError("the reference is missing", where=str(folder), todo="Correct durations.reference")
        return find_textgrids(folder)
    for system in there.values():
        if (system.artifact("manifest") / "TextGrid").is_dir():
            return find_textgrids(system.artifact("manifest") / "TextGrid")
    return {}


def _shared(teacher: System, reference: Mapping[str, Path], limit: int) -> list[str]:
    """Utterances that the teacher's run aligned and the reference has, evenly spread."""
    if not teacher.has("features", "alignment", "spoken"):
        return []
    return spread([id_ for id_ in teacher.store("features").ids if id_ in reference], limit)


def attend(id_: str, _value: None, teacher: System) -> Item:
    """Frames per token by the teacher's attention in a teacher-forced pass over the recording."""
    model = teacher.model()
    tokens, lengths = as_batch(teacher.encoded(teacher.tokens(id_)))
    mel = torch.from_numpy(teacher.store("features").array(id_, "mel"))[None]
    with torch.inference_mode():
        attention = model(tokens, lengths, mel, torch.tensor([mel.shape[1]])).attention[0]
    path, sharpest = attended_tokens(model, attention), attention.max(dim=-1).values.mean(dim=-1).max()
    durations = np.bincount(path, minlength=tokens.shape[1]).astype(np.int32)
    return Item({"durations": durations}, {"focus_rate": float(sharpest)})


def in_frames(system: System, id_: str, durations: np.ndarray, hop_s: float) -> Alignment:
    """The alignment of durations in frames (T,)."""
    seconds = durations.astype(np.float64) * hop_s
    return alignment_from_durations(seconds, system.tokens(id_), float(seconds.sum()), id_)


def _extracted(system: System, id_: str, hop_s: float) -> Alignment:
    """The aligner's boundaries as the students learn them: in whole frames."""
    return in_frames(system, id_, system.store("features").array(id_, "durations"), hop_s)


def compared(truth: Mapping[str, Alignment], source: Found) -> dict[str, Any]:
    """Mean errors at phone and word boundaries in ms; phones are None where they are of another kind."""
    result: Comparison = compare_pairs([(id_, truth[id_], source.alignments[id_]) for id_ in truth], where=source.name)
    shares = phone_shares(truth, source.alignments, list(truth))
    return {
        "phone_ms": None if result.phones is None else result.phones.mean_ms,
        "phone_median_ms": None if result.phones is None else result.phones.median_ms,
        "phone_boundaries": 0 if result.phones is None else result.phones.boundaries,
        "word_ms": result.both.mean_ms,
    } | shares


def phone_shares(
    truth: Mapping[str, Alignment], found: Mapping[str, Alignment], ids: Sequence[str]
) -> dict[str, float]:
    """Phones of the reference, and their mean length in ms, to see the errors beside."""
    lengths = [phone.duration_s for id_ in ids for phone in truth[id_].spoken_phones()]
    said = sum(len(found[id_].spoken_phones()) for id_ in ids)
    return {"phones": len(lengths), "phones_found": said, "phone_length_ms": float(np.mean(lengths)) * 1000.0}
