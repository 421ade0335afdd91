"""Distilled targets beside recordings: how much they vary where the text is the same, and how sharp they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from recipes.tts.claims.systems import finished
from recipes.tts.common.claims.systems import System, write_json
from speechkd.metrics.sharpness import laplacian_sharpness
from speechkd.metrics.within import WithinLabels
from speechkd.runner import Context, ItemStore

TAUGHT = ("fastspeech", "fastspeech_gt", "fastspeech_fc")


def run(cfg: Any, ctx: Context) -> None:
    """Write `targets`: targets.json."""
    there = finished(cfg.systems)
    found: dict[str, Any] = {"varied": varied(there, cfg.targets.utterances, ctx), "sharpness": sharpness(there)}
    write_json(ctx.output("targets") / "targets.json", found)


def varied(there: Mapping[str, System], limit: int, ctx: Context) -> dict[str, Any] | None:
    """Variation of the mels of the same training utterances, said by the teacher and by the speaker.

    Within a phone, and over all frames; None without distilled targets. Each mel has its own durations: those of the
    teacher's attention in the same pass, and those of the aligner.
    """
    system = there.get("fastspeech")
    if system is None or not system.has("targets", "features", "spoken", "manifest"):
        return None
    stores = {"distilled": system.store("targets"), "recordings": system.store("features")}
    known = set(stores["distilled"].ids)
    ids = [id_ for id_ in system.ids("train") if id_ in known]
    ids = [ids[place] for place in np.unique(np.linspace(0, len(ids) - 1, min(limit, len(ids))).astype(int))]
    if not ids:
        return None
    found: dict[str, Any] = {"utterances": len(ids)}
    with ctx.progress(2 * len(ids), "variation") as bar:
        for name, store in stores.items():
            collector: WithinLabels | None = None
            for id_ in ids:
                mel, labels = phone_frames(system, store, id_)
                collector = collector or WithinLabels(len(system.symbols), mel.shape[1])
                collector.add(mel, labels)
                bar.advance()
            assert collector is not None
            within, total = collector.within(), collector.total()
            found[name] = {
                "frames": collector.n_frames,
                "within_phone": float(within.mean()),
                "over_all": float(total.mean()),
                "within_phone_by_bin": [round(float(each), 5) for each in within],
            }
    return found


def phone_frames(system: System, store: ItemStore, id_: str) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Frames (F, n_mels) that belong to phones, not pauses, and the number of each one's symbol (F,)."""
    tokens, arrays = system.tokens(id_), store.arrays(id_)
    durations = arrays["durations"].astype(np.int64)
    owner = np.repeat(np.arange(len(durations)), durations)
    spoken = np.asarray(tokens.word_index)[owner] >= 0
    return arrays["mel"][: len(owner)][spoken].astype(np.float64), system.encoded(tokens)[owner][spoken]


def sharpness(there: Mapping[str, System]) -> dict[str, Any]:
    """Mean Laplacian variance of the held-out mels of every system, and of the recordings."""
    found: dict[str, Any] = {}
    for name, system in there.items():
        if not system.has("samples"):
            continue
        store = system.store("samples")
        found[name] = _mean_sharpness(store, "mel_predicted")
        found.setdefault("recordings", _mean_sharpness(store, "mel_recording"))
    return found


def _mean_sharpness(store: ItemStore, name: str) -> float:
    return float(np.mean([laplacian_sharpness(store.array(id_, name)) for id_ in store.ids]))
