"""Several speakers in one model, beside models of each of them alone; and whether they can be told apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from recipes.tts.common.claims.speaking import spoken_mel
from recipes.tts.common.claims.systems import System, spread, write_json
from recipes.tts.common.manifest import Manifest
from recipes.tts.prodiff_claims.systems import finished
from speechkd.metrics.cepstra import mel_distortion_dtw_db
from speechkd.metrics.voices import VoiceClassifier, voice_features
from speechkd.runner import Context, Item

#: Models of one speaker, by the name of their system.
ALONE = ("student", "second")


@dataclass(frozen=True)
class Setting:
    """The model of several speakers, their numbers, and who can tell them apart."""

    system: System
    speakers: tuple[str, ...]
    classifier: VoiceClassifier


def run(cfg: Any, ctx: Context) -> None:
    """Write `speakers`: speakers.json; without a model of several speakers it is empty."""
    there, found = finished(cfg.systems, "joined", *ALONE), dict[str, Any]()
    joined = there.get("joined")
    if joined is not None and joined.has("manifest", "features", "spoken", "samples"):
        said_by = {each.id: each.speaker for each in Manifest.read(joined.artifact("manifest")).utterances}
        alone = [there[name] for name in ALONE if name in there and there[name].has("manifest", "samples")]
        found = {
            "systems": {"joined": beside_alone(joined, alone, said_by)},
            "told_apart": told_apart(joined, said_by, cfg.speakers.recordings, ctx),
        }
    write_json(ctx.output("speakers") / "speakers.json", found)


def beside_alone(joined: System, alone: Sequence[System], said_by: Mapping[str, str]) -> dict[str, Any]:
    """By speaker: errors of the joined model and of the speaker's own, on utterances that both have held out."""
    found: dict[str, Any] = {}
    for system in alone:
        ids = sorted(set(joined.store("samples").ids) & set(system.store("samples").ids))
        if ids:
            errors = {who.name: [distortion(who, id_) for id_ in ids] for who in (joined, system)}
            found[said_by[ids[0]]] = {
                "alone": system.name,
                "joined_db": errors["joined"],
                "alone_db": errors[system.name],
            }
    return found


def distortion(system: System, id_: str) -> float:
    """Distortion in dB of a held-out mel, everything predicted, along the best path through both."""
    store = system.store("samples")
    return mel_distortion_dtw_db(store.array(id_, "mel_recording"), store.array(id_, "mel_predicted"))


def told_apart(joined: System, said_by: Mapping[str, str], limit: int, ctx: Context) -> dict[str, Any]:
    """How often the classifier is right about held-out recordings, and about every held-out sentence in every voice."""
    speakers, features = tuple(sorted(set(said_by.values()))), joined.store("features")
    train = [
        id_ for who in speakers for id_ in spread([each for each in joined.ids("train") if said_by[each] == who], limit)
    ]
    rows = [voice_features(features.array(id_, "mel")) for id_ in train]
    classifier = VoiceClassifier.fitted(rows, [said_by[id_] for id_ in train])
    test = joined.ids("test")
    heard = [classifier.who(voice_features(features.array(id_, "mel"))) == said_by[id_] for id_ in test]
    items = [(f"{place}--{id_}", (place, id_)) for place in range(len(speakers)) for id_ in test]
    store = ctx.gather(say_as, items, "voices", common=Setting(joined, speakers, classifier))
    spoken = {who: sum(store.meta(f"{place}--{id_}")["right"] for id_ in test) for place, who in enumerate(speakers)}
    return {"of_each": len(test), "spoken": spoken, "recordings": sum(heard), "learned_from": len(train)}


def say_as(_id: str, value: tuple[int, str], setting: Setting) -> Item:
    """Whether a held-out sentence that a voice says is taken for that voice's."""
    place, id_ = value
    mel = spoken_mel(setting.system, id_, speakers=torch.tensor([place]))
    return Item(meta={"right": setting.classifier.who(voice_features(mel)) == setting.speakers[place]})
