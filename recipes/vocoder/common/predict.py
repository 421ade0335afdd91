"""Mels of an acoustic model for the clips, to learn from what a vocoder is fed with when it speaks."""

from __future__ import annotations

from typing import Any

from recipes.vocoder.common.clips import Clips, clip_id
from speechkd.errors import ConfigError
from speechkd.runner import Context, Item, ItemStore


def run(cfg: Any, ctx: Context) -> None:
    """Write `predicted`: `mel` of every clip that the acoustic model's run has features of; empty without a model."""
    if cfg.mels.predicted is None:
        ctx.map(_predict, [], "predicted")
        return
    from recipes.tts.common.predicted import AcousticRun

    acoustic = AcousticRun(cfg.mels.predicted, cfg.mels.variances == "true")
    acoustic.check(cfg.audio)
    clips, mels = Clips.read(ctx.input("manifest"), cfg.corpora), ctx.store("mels")
    known = set(mels.ids)
    pairs = {clip_id(acoustic.corpus, id_): (id_, speaker) for id_, speaker in acoustic.utterances().items()}
    items = sorted((id_, pair) for id_, pair in pairs.items() if id_ in known)
    if not items:
        why = f"it was trained on the corpus {acoustic.corpus}, and corpora has no clip of it"
        raise ConfigError("the acoustic model knows none of the clips", where=str(cfg.mels.predicted), why=why)
    _warn(ctx, clips, acoustic, len(known) - len(items))
    ctx.map(_predict, items, "predicted", common=(acoustic, mels), max_errors=cfg.run.max_errors)


def _warn(ctx: Context, clips: Clips, acoustic: Any, n_unknown: int) -> None:
    if n_unknown:
        ctx.log.info("%d clips have no predicted mel: the acoustic model's run does not know them", n_unknown)
    seen = {clip_id(acoustic.corpus, id_) for id_ in acoustic.utterances()} - {
        clip_id(acoustic.corpus, id_) for id_ in acoustic.held_out()
    }
    if leaked := sorted(seen & set(clips.splits["test"])):
        ctx.log.warning("the acoustic model learned %d of the test clips, such as %s", len(leaked), leaked[0])


def _predict(id_: str, item: tuple[str, int], common: tuple[Any, ItemStore]) -> Item:
    acoustic, mels = common
    own, speaker = item
    mel = acoustic.mel(own, speaker)
    expected = mels.meta(id_)["n_frames"]
    if len(mel) != expected:
        from speechkd.errors import DataError

        why = f"{len(mel)} frames there, {expected} here"
        raise DataError("the acoustic model's run has another recording of this clip", where=id_, why=why)
    return Item({"mel": mel}, {"n_frames": len(mel)})
