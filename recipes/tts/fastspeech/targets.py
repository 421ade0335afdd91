"""What the teacher hands over: for each utterance a mel, and the frames of every token in it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from recipes.tts.common.manifest import Manifest
from recipes.tts.common.teachers import sentences
from recipes.tts.common.texts import read_symbols
from recipes.tts.fastspeech.attention import Reading, read
from recipes.tts.fastspeech.config import TargetSection
from recipes.tts.fastspeech.plan import DURATIONS, SPECS
from recipes.tts.fastspeech.teach import HEAD
from speechkd.align.attention import Head
from speechkd.distill.fingerprint import fingerprint
from speechkd.distill.store import write_description
from speechkd.errors import DataError, StageError
from speechkd.models.tts.load import load_model
from speechkd.models.tts.transformer import TransformerTts
from speechkd.runner import Context, Item, ItemStore
from speechkd.training.seeds import derive_seed

LEFT_OUT = "left out"
REJECTED = "rejected.jsonl"
SUMMARY = "summary.json"
Array = NDArray[Any]


@dataclass(frozen=True)
class Sources:
    """What a worker needs besides an id and a speaker."""

    teacher: Path
    head: Head
    spoken: ItemStore
    features: ItemStore
    options: TargetSection
    made_by: str  # the teacher's fingerprint


@dataclass(frozen=True)
class Heard:
    """One pass of the teacher over one text."""

    mel: Array  # (F, n_mels) float32, natural log
    attention: Array  # (F, T) float32, of the chosen head
    stopped: bool


def run(cfg: Any, ctx: Context) -> None:
    """Write two target stores.

    `targets`: mel and durations of the training and validation utterances, with rejected.jsonl (what was left out, and
    why) and summary.json. `forced`: durations alone, of the teacher-forced pass over the recordings of the validation
    and test utterances, for measuring; nothing learns from them.
    """
    manifest, teacher = Manifest.read(ctx.input("manifest")), ctx.input("teacher")
    head = trusted_head(teacher, cfg.targets.teacher_focus)
    made_by = fingerprint(teacher)
    sources = Sources(teacher, head, ctx.store("spoken"), ctx.store("features"), cfg.targets, made_by)
    numbers, available = manifest.speaker_numbers(), set(sources.features.ids)
    learned, measured = ("train", "valid"), ("valid", "test")
    refuse_test_sentences(ctx.input("manifest"), learned)
    ids, forced_ids = (
        sorted(id_ for part in parts for id_ in manifest.splits[part] if id_ in available)
        for parts in (learned, measured)
    )
    digest = ctx.record("prepare").outputs["manifest"].digest
    ctx.map(learn, [(id_, numbers[id_]) for id_ in ids], "targets", common=sources, max_errors=len(ids))
    kept = _report(ctx, ctx.output("targets"), ids, cfg.run.max_errors)
    write_description(ctx.output("targets"), [spec.by(made_by) for spec in SPECS], digest, made_by)
    ctx.log.info("%s", kept)
    items = [(id_, numbers[id_]) for id_ in forced_ids]
    ctx.map(force, items, "forced", common=sources, max_errors=cfg.run.max_errors)
    write_description(ctx.output("forced"), [DURATIONS.by(made_by)], digest, made_by)


def trusted_head(teacher: Path, least: float) -> Head:
    """The head that the teacher's training chose. StageError if it does not follow the text."""
    found = json.loads((teacher / HEAD).read_text(encoding="utf-8"))
    head = Head(found["layer"], found["head"], found["focus_rate"])
    if head.focus_rate < least:
        raise StageError(
            "no attention head of the teacher follows the text: its durations would be noise",
            where=str(teacher),
            why=f"the best, layer {head.layer} head {head.head}, has a mean focus rate of {head.focus_rate:.3f} on the "
            f"validation utterances; at least {least:g} is asked for",
            todo="Train the teacher longer, or guide its attention more (guide.weight, guide.until_step)",
        )
    return head


def refuse_test_sentences(manifest: Path, learned: tuple[str, ...]) -> None:
    """StageError if a sentence that is tested on is among those to learn from."""
    both = sorted(sentences(manifest, learned) & sentences(manifest, ("test",)))
    if both:
        raise StageError("test sentences would be learned", where=str(manifest), why=both[0], todo="Run prepare again")


def learn(id_: str, speaker: int, sources: Sources) -> Item:
    """The targets of an utterance; DataError with `LEFT_OUT` where the teacher cannot be trusted with it."""
    options = sources.options
    heard = hear(id_, speaker, sources, options.source == "kd")
    reading = read(heard.attention, options.path)
    if reason := distrust(heard, reading, sources.features.meta(id_)["n_frames"], options):
        raise DataError(LEFT_OUT, why=reason)
    return Item({"mel": heard.mel, "durations": _fitting(reading, heard, id_)}, _meta(heard, reading))


def force(id_: str, speaker: int, sources: Sources) -> Item:
    """The durations of the teacher-forced pass over an utterance's recording."""
    heard = hear(id_, speaker, sources, free=False)
    reading = read(heard.attention, sources.options.path)
    return Item({"durations": _fitting(reading, heard, id_)}, _meta(heard, reading))


def _meta(heard: Heard, reading: Reading) -> dict[str, Any]:
    return {
        "n_frames": len(heard.mel),
        "focus_rate": round(reading.focus_rate, 6),
        "backward_share": round(reading.backward_share, 6),
        "stopped": heard.stopped,
    }


def _fitting(reading: Reading, heard: Heard, id_: str) -> NDArray[np.int32]:
    """The durations, which sum to the frames of the mel: of the same pass, by construction."""
    if int(reading.durations.sum()) != len(heard.mel):
        raise StageError(f"durations sum to {reading.durations.sum()}, the mel has {len(heard.mel)} frames", where=id_)
    return reading.durations


def distrust(heard: Heard, reading: Reading, recorded_frames: int, options: TargetSection) -> str:
    """Why a pass is no good target; empty if it is one."""
    if not heard.stopped:
        return f"the teacher did not stop within {len(heard.mel)} frames, {options.longest:g} times the recording's"
    if options.source == "kd" and len(heard.mel) < options.shortest * recorded_frames:
        return f"the teacher stopped after {len(heard.mel)} frames, the recording has {recorded_frames}"
    if reading.focus_rate < options.focus_threshold:
        return f"focus rate {reading.focus_rate:.3f}, at least {options.focus_threshold:g} is asked for"
    return ""


def hear(id_: str, speaker: int, sources: Sources, free: bool) -> Heard:
    """Let the teacher speak a text freely, or follow its recording."""
    options, teacher = sources.options, teacher_in(sources.teacher, sources.options.device, sources.made_by)
    symbols = symbols_in(sources.spoken.folder).encode(sources.spoken.meta(id_)["symbols"])
    tokens = torch.tensor([symbols], device=options.device)
    speakers = torch.tensor([speaker], device=options.device)
    seed = derive_seed(options.seed, purpose=f"teacher {id_}")
    if free:
        most = max(1, int(options.longest * sources.features.meta(id_)["n_frames"]))
        spoken = teacher.generate(tokens, speakers, max_frames=most, seed=seed)
        return Heard(_array(spoken.mel[0]), _of_head(spoken.attention, sources.head), spoken.stopped)
    mel = sources.features.array(id_, "mel")
    given = torch.from_numpy(mel)[None].to(options.device)
    lengths = (torch.tensor([n], device=options.device) for n in (tokens.shape[1], len(mel)))
    token_lengths, mel_lengths = lengths
    with torch.inference_mode():
        output = teacher(tokens, token_lengths, given, mel_lengths, speakers, seed=seed)
    return Heard(mel, _of_head(output.attention[0], sources.head), True)


def _of_head(attention: torch.Tensor, head: Head) -> Array:
    """attention: (L, H, F, T) -> (F, T)."""
    return _array(attention[head.layer, head.head])


def _array(values: torch.Tensor) -> Array:
    array: Array = values.float().cpu().numpy()
    return array


@lru_cache(maxsize=1)
def teacher_in(folder: Path, device: str, made_by: str) -> TransformerTts:
    """The teacher with this fingerprint, once per process: another may lie in its folder later."""
    teacher = load_model(folder)
    assert isinstance(teacher, TransformerTts)
    return teacher.to(device)


symbols_in = lru_cache(maxsize=1)(read_symbols)


def _report(ctx: Context, out: Path, ids: Sequence[str], max_errors: int) -> str:
    """Write rejected.jsonl and summary.json; returns the summary in words.

    StageError if nothing is left, or if more utterances than `max_errors` failed for another reason than distrust.
    """
    store = ItemStore(out)
    prefix = f"{LEFT_OUT}: "
    rejected = [(id_, why.removeprefix(prefix)) for id_, why in store.errors if why.startswith(prefix)]
    failed = [(id_, why) for id_, why in store.errors if not why.startswith(prefix)]
    if len(failed) > max_errors:
        raise StageError(
            f"{len(failed)} utterances failed, {max_errors} are allowed", where=failed[0][0], why=failed[0][1]
        )
    lines = [json.dumps({"id": id_, "reason": why}, sort_keys=True) + "\n" for id_, why in rejected]
    (out / REJECTED).write_text("".join(lines), encoding="utf-8")
    for id_, why in rejected:
        ctx.log.info("left out %s: %s", id_, why, extra={"file_only": True})
    if not len(store):
        raise StageError(
            f"none of {len(ids)} utterances can be learned from", why=rejected[0][1] if rejected else None,
            todo="Train the teacher longer, or lower targets.focus_threshold",
        )  # fmt: skip
    summary = summarise([store.meta(id_) for id_ in store.ids], len(ids))
    (out / SUMMARY).write_text(json.dumps(summary, indent=1, sort_keys=True), encoding="utf-8")
    return (
        f"{summary['kept']} of {len(ids)} utterances kept ({summary['kept_share']:.1%}): mean focus rate "
        f"{summary['focus_rate']:.3f}; backward jumps {summary['backward_share']:.2%} of frames, at most "
        f"{summary['backward_share_most']:.2%} in an utterance"
    )


def summarise(metas: Sequence[dict[str, Any]], n_utterances: int) -> dict[str, Any]:
    """Figures over the utterances that were kept; shares of backward jumps are weighted by frames."""
    frames = np.array([meta["n_frames"] for meta in metas])
    backward = np.array([meta["backward_share"] for meta in metas])
    return {
        "utterances": n_utterances,
        "kept": len(metas),
        "kept_share": round(len(metas) / n_utterances, 6),
        "frames": int(frames.sum()),
        "focus_rate": round(float(np.mean([meta["focus_rate"] for meta in metas])), 6),
        "backward_share": round(float(np.average(backward, weights=frames)), 6),
        "backward_share_most": round(float(backward.max()), 6),
    }
