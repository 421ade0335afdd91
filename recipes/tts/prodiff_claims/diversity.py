"""How varied speech is: the same sentence with other noise, and the spread of all frames beside the recordings'."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt

from recipes.tts.common.claims.speaking import spoken_mel
from recipes.tts.common.claims.systems import System, write_json
from recipes.tts.prodiff_claims.names import COMPARED, VARIED
from recipes.tts.prodiff_claims.quality import samples_of, shared
from recipes.tts.prodiff_claims.systems import finished
from speechkd.metrics.bins import Bins, different_bins, jensen_shannon
from speechkd.metrics.speech import mel_l1
from speechkd.runner import Context, Item, ItemStore


@dataclass(frozen=True)
class Setting:
    """Who says everything how often."""

    systems: dict[str, System]
    noises: int


def run(cfg: Any, ctx: Context) -> None:
    """Write `diversity`: diversity.json."""
    there, options = finished(cfg.systems, *COMPARED), cfg.diversity
    found = {"systems": said_anew(there, options, ctx), "spread": spread_of(there, options), "bins": options.bins}
    write_json(ctx.output("diversity") / "diversity.json", found)


def said_anew(there: Mapping[str, System], options: Any, ctx: Context) -> dict[str, Any]:
    """By system: how far two samples of a sentence are apart, a value for each sentence."""
    able = {name: there[name] for name in VARIED if name in there and there[name].has("features", "spoken")}
    ids = {name: each.ids("test", limit=options.utterances) for name, each in able.items()}
    items = [(f"{name}--{id_}", (name, id_)) for name in able for id_ in ids[name]]
    store = ctx.gather(speak_anew, items, "noises", common=Setting(able, options.noises))
    return {name: {"pairwise_l1": [store.meta(f"{name}--{id_}")["l1"] for id_ in ids[name]]} for name in able}


def speak_anew(_id: str, value: tuple[str, str], setting: Setting) -> Item:
    """Mean L1 of all pairs of samples of one utterance, with the recording's durations and a seed each."""
    name, id_ = value
    system = setting.systems[name]
    durations = system.store("features").array(id_, "durations")
    mels = [spoken_mel(system, id_, durations, seed=seed) for seed in range(setting.noises)]
    return Item(meta={"l1": float(np.mean([mel_l1(a, b) for a, b in combinations(mels, 2)]))})


def spread_of(there: Mapping[str, System], options: Any) -> dict[str, Any]:
    """By system: NDB and divergence of its held-out frames from the recordings' of the same sentences.

    All have the recordings' durations. Empty without samples, or without recordings to fit the bins to.
    """
    stores = samples_of({name: each for name, each in there.items() if each.has("features")})
    ids = shared(stores)
    if not ids:
        return {}
    first = next(iter(stores))
    bins = Bins.fitted(training_frames(there[first], options.fitted_frames), options.bins)
    recorded = bins.counts(frames(stores[first], ids, "mel_recording"))
    found = {}
    for name, store in stores.items():
        counts = bins.counts(frames(store, ids, "mel_true_durations"))
        row = {"different_bins": different_bins(recorded, counts), "divergence": jensen_shannon(recorded, counts)}
        found[name] = row | {"frames": int(counts.sum())}
    return found


def training_frames(system: System, limit: int) -> npt.NDArray[np.float32]:
    """Frames (N, n_mels) of training recordings, at most `limit` of them, evenly spread."""
    rows = frames(system.store("features"), system.ids("train"), "mel")
    return rows[np.unique(np.linspace(0, len(rows) - 1, min(limit, len(rows))).astype(int))]


def frames(store: ItemStore, ids: Sequence[str], name: str) -> npt.NDArray[np.float32]:
    """All frames of an array of these items: (N, n_mels)."""
    return np.concatenate([store.array(id_, name) for id_ in ids])
