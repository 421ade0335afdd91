"""The preliminary study: one model that predicts the mel and one that predicts the noise, sampled in fewer steps.

Each was trained once, on a long chain. Fewer steps go down the same chain, several levels at a time and without new
noise (DDIM), so that nothing but their number differs. The durations are those of the recordings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from recipes.tts.common.claims.speaking import spoken_mel
from recipes.tts.common.claims.systems import System, write_json
from recipes.tts.prodiff_claims.names import FORMS
from recipes.tts.prodiff_claims.systems import finished
from speechkd.errors import ConfigError
from speechkd.metrics.cepstra import mel_distortion_db
from speechkd.metrics.speech import mel_l1
from speechkd.runner import Context, Item, ItemStore


@dataclass(frozen=True)
class Setting:
    """Which systems speak, and in how many steps each."""

    systems: dict[str, System]
    steps: tuple[int, ...]


def run(cfg: Any, ctx: Context) -> None:
    """Write `chains`: chains.json with the errors of every held-out utterance, by number of steps."""
    there = {name: each for name, each in finished(cfg.systems, *FORMS).items() if each.has("features", "spoken")}
    for name, system in there.items():
        check_steps(name, system.model().step_counts, cfg.chains.steps)
    ids = {name: each.ids("test", limit=cfg.chains.utterances) for name, each in there.items()}
    items = [(f"{name}--{id_}", (name, id_)) for name in there for id_ in ids[name]]
    store = ctx.gather(measure, items, "chains", common=Setting(there, cfg.chains.steps))
    found = {name: by_steps(store, name, ids[name], cfg.chains.steps) for name in there}
    write_json(ctx.output("chains") / "chains.json", {"systems": found, "steps": list(cfg.chains.steps)})


def check_steps(name: str, possible: Sequence[int], wanted: Sequence[int]) -> None:
    """ConfigError unless a model can speak in all these numbers of steps, the last of them its whole chain."""
    wrong = [steps for steps in wanted if steps not in possible]
    if wrong or wanted[-1] != possible[-1]:
        raise ConfigError(
            f"the model of {name} cannot be compared in {', '.join(map(str, wanted))} steps",
            where="chains.steps", why=f"its chain has {possible[-1]} steps: {', '.join(map(str, possible))} divide it",
            todo="Take numbers out of these, the whole chain as the last",
        )  # fmt: skip


def measure(_id: str, value: tuple[str, str], setting: Setting) -> Item:
    """Errors of one utterance beside its recording, by number of steps."""
    name, id_ = value
    system = setting.systems[name]
    recorded = system.store("features").arrays(id_)
    rows = {}
    for steps in setting.steps:
        mel = spoken_mel(system, id_, recorded["durations"], n_steps=steps, deterministic=True)
        rows[str(steps)] = {"mel_l1": mel_l1(recorded["mel"], mel), "mcd_db": mel_distortion_db(recorded["mel"], mel)}
    return Item(meta=rows)


def by_steps(store: ItemStore, name: str, ids: Sequence[str], steps: Sequence[int]) -> Mapping[str, Any]:
    """Lists over utterances of both errors, by number of steps."""
    rows = [store.meta(f"{name}--{id_}") for id_ in ids]
    return {
        str(count): {kind: [row[str(count)][kind] for row in rows] for kind in ("mel_l1", "mcd_db")} for count in steps
    }
