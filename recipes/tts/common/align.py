"""When each phone is said."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, overload

from recipes.tts.common.aligners import prepared
from recipes.tts.common.manifest import Manifest
from speechkd.align import Alignment, AlignOptions, Interval, make_aligner, write_textgrid
from speechkd.align.respell import respelled
from speechkd.align.textgrid import format_textgrid
from speechkd.align.types import AlignInput
from speechkd.audio.io import read_audio
from speechkd.runner import Context, Item, ItemStore
from speechkd.text import Tokens

# More TextGrids than these are put into archives.
_MOST_GRIDS, _GRIDS_PER_ZIP = 20_000, 1000


def run(cfg: Any, ctx: Context) -> None:
    """Write `alignment`: an item and a TextGrid per utterance; and `spoken`: the tokens with the phones as said.

    errors.jsonl lists what could not be aligned, notes.jsonl what could be aligned in an unusual way only.
    """
    inputs = _inputs(cfg, ctx)
    ready = prepared(cfg.align, inputs, ctx.scratch / "aligner", ctx.jobs, ctx.log)
    ctx.map(_align, inputs.recordings, "alignment", common=(ready, inputs.tokens), max_errors=cfg.run.max_errors)
    out = ctx.output("alignment")
    store = ItemStore(out)
    _write_grids(store, out / "TextGrid")
    _write_spoken(ctx, store)
    _write_notes(ctx, store)
    _compare_with_reference(ctx, out)


class _Inputs(Sequence[AlignInput]):
    """What aligners are given, by utterance: only ids and paths are held, tokens are read when they are asked for."""

    def __init__(self, recordings: Sequence[tuple[str, tuple[str, str]]], tokens: ItemStore) -> None:
        self.recordings, self.tokens = recordings, tokens  # (id, (path, speaker))

    def __len__(self) -> int:
        return len(self.recordings)

    @overload
    def __getitem__(self, place: int) -> AlignInput: ...

    @overload
    def __getitem__(self, place: slice) -> Sequence[AlignInput]: ...

    def __getitem__(self, place: int | slice) -> AlignInput | Sequence[AlignInput]:
        if isinstance(place, slice):
            return _Inputs(self.recordings[place], self.tokens)
        id_, (path, speaker) = self.recordings[place]
        return AlignInput(id_, Tokens.from_json(self.tokens.meta(id_)), Path(path), speaker)


def _inputs(cfg: Any, ctx: Context) -> _Inputs:
    manifest, tokens = Manifest.read(ctx.input("manifest")), ctx.store("tokens")
    recordings = [
        (utterance.id, (str(manifest.audio_path(utterance, cfg.corpus)), utterance.speaker or cfg.corpus.name))
        for utterance in manifest.utterances
        if utterance.id in tokens
    ]
    return _Inputs(recordings, tokens)


def _align(id_: str, recording: tuple[str, str], common: tuple[AlignOptions, ItemStore]) -> Item:
    options, store = common
    audio, tokens = read_audio(Path(recording[0])), Tokens.from_json(store.meta(id_))
    alignment = make_aligner(options).align(audio.samples, audio.sample_rate, tokens, utterance_id=id_)
    respelled(tokens, alignment)  # what does not fit the text is this utterance's error, not the stage's
    return Item(meta=alignment_to_json(alignment))


def _write_grids(alignments: ItemStore, folder: Path, most_files: int = _MOST_GRIDS) -> None:
    """A TextGrid per utterance; in a large corpus, zip archives of a thousand, as no file system likes more files."""
    folder.mkdir()
    if len(alignments) <= most_files:
        for id_ in alignments.ids:
            write_textgrid(folder / f"{id_}.TextGrid", Alignment.from_json(alignments.meta(id_)))
        return
    for start in range(0, len(alignments), _GRIDS_PER_ZIP):
        with zipfile.ZipFile(folder / f"{start:07d}.zip", "w") as archive:
            for id_ in alignments.ids[start : start + _GRIDS_PER_ZIP]:
                # The name alone: times and rights would differ between equal runs.
                member = zipfile.ZipInfo(f"{id_}.TextGrid")
                member.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(member, format_textgrid(Alignment.from_json(alignments.meta(id_))))


def _write_spoken(ctx: Context, alignments: ItemStore) -> None:
    tokens, out = ctx.store("tokens"), ctx.output("spoken")
    changed = 0
    with ctx.writer("spoken", len(alignments)) as writer:
        for id_ in alignments.ids:
            listed = Tokens.from_json(tokens.meta(id_))
            said = respelled(listed, Alignment.from_json(alignments.meta(id_)))
            changed += sum(a.phones != b.phones for a, b in zip(listed.words, said.words, strict=True))
            writer.add(id_, meta=said.to_json())
        for id_, reason in alignments.errors:
            writer.error(id_, reason)
    shutil.copyfile(ctx.input("tokens") / "symbols.json", out / "symbols.json")
    ctx.log.info("%d words were said in another way than the lexicon lists first", changed)


def _write_notes(ctx: Context, alignments: ItemStore) -> None:
    notes = [{"id": id_, "note": note} for id_ in alignments.ids if (note := alignments.meta(id_).get("note"))]
    lines = [json.dumps(each, ensure_ascii=False, sort_keys=True) + "\n" for each in notes]
    (ctx.output("alignment") / "notes.jsonl").write_text("".join(lines), encoding="utf-8")
    if notes:
        ctx.log.info("%d with a note, see alignment/notes.jsonl", len(notes))


def alignment_to_json(alignment: Alignment) -> dict[str, Any]:
    """An alignment as JSON: intervals as [start_s, end_s, label], in tenths of a millisecond."""

    def rounded(intervals: tuple[Interval, ...]) -> tuple[Interval, ...]:
        return tuple(Interval(round(each.start_s, 4), round(each.end_s, 4), each.label) for each in intervals)

    words, phones = rounded(alignment.words), rounded(alignment.phones)
    return Alignment(words, phones, round(alignment.duration_s, 4), alignment.note).to_json()


def _compare_with_reference(ctx: Context, out: Path) -> None:
    """Where the corpus brings exact times (the mini corpus does), say how far off the aligner is."""
    from speechkd.align.compare import compare_alignments

    reference = ctx.input("manifest") / "TextGrid"
    if not reference.is_dir():
        return
    compared = compare_alignments(reference, out / "TextGrid")
    text = json.dumps(compared.to_json(), indent=1, sort_keys=True)
    (out / "against_reference.json").write_text(text, encoding="utf-8")
    both = compared.both
    ctx.log.info(
        "%d word boundaries against the corpus's own times: mean error %.1f ms, median %.1f ms, bias %.1f ms",
        both.boundaries, both.mean_ms, both.median_ms, both.bias_ms,
    )  # fmt: skip
