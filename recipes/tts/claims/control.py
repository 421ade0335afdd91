"""Speaking slower, faster, and with breaks between words (FastSpeech, section 4.3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from recipes.tts.claims.names import STUDENTS
from recipes.tts.claims.systems import finished
from recipes.tts.common.claims.speaking import Samples, Voicing, as_batch
from recipes.tts.common.claims.systems import System, write_json
from speechkd.features.pitch import extract_f0
from speechkd.runner import Context, Item, ItemStore
from speechkd.text import Tokens

# A break is silent if its loudest frame lies this far under the utterance's loudest one.
SILENT_DB = 25.0
# The frames at either edge of a break share their window with speech.
_EDGE_FRAMES = 3


@dataclass(frozen=True)
class Setting:
    """What every utterance is spoken with."""

    systems: dict[str, System]
    voicing: Voicing
    alphas: tuple[float, ...]
    break_frames: int


def run(cfg: Any, ctx: Context) -> None:
    """Write `controlled`: an item per system and utterance; and `control`: control.json."""
    there = {name: each for name, each in finished(cfg.systems).items() if name in STUDENTS}
    options = cfg.control
    setting = Setting(there, Voicing.of(cfg), options.alphas, options.break_frames)
    ids = {name: each.ids("test", limit=options.utterances) for name, each in there.items()}
    items = [(f"{name}--{id_}", (name, id_)) for name in there for id_ in ids[name]]
    ctx.map(speak_controlled, items, "controlled", common=setting)
    store = ItemStore(ctx.output("controlled"))
    found = {name: summarise([store.meta(f"{name}--{id_}") for id_ in ids[name]]) for name in there}
    write_json(ctx.output("control") / "control.json", {"systems": found, "break_frames": options.break_frames})


def speak_controlled(_id: str, value: tuple[str, str], setting: Setting) -> Item:
    """Frames and median F0 at every alpha, and what breaks do, of one utterance."""
    name, id_ = value
    system = setting.systems[name]
    model, tokens = system.model(), system.tokens(id_)
    batch, lengths = as_batch(system.encoded(tokens))
    rows: dict[str, Any] = {}
    for alpha in setting.alphas:
        spoken = model.infer(batch, lengths, speed=1.0 / alpha)
        samples = setting.voicing.sound(spoken)
        durations = spoken.durations[0].numpy()
        rows[f"{alpha:g}"] = {"frames": int(durations.sum()), "f0_hz": median_f0(samples, setting.voicing)}
        if alpha == 1.0:
            plain = durations
    places = boundary_places(tokens)
    longer = plain + setting.break_frames * np.isin(np.arange(len(plain)), places)
    spoken = model.infer(batch, lengths, durations=as_batch(longer)[0])
    breaks = break_row(setting.voicing.sound(spoken), plain, longer, places, setting)
    return Item(meta={"alphas": rows, "breaks": breaks})


def boundary_places(tokens: Tokens) -> list[int]:
    """Two word boundaries, a third and two thirds into the sentence; one in a sentence of two words, else none."""
    between = [place for place, word in enumerate(tokens.word_index) if word < 0][1:-1]
    return sorted({between[len(between) * third // 3] for third in (1, 2)}) if between else []


def median_f0(samples: Samples, voicing: Voicing) -> float | None:
    """Median over voiced frames by Harvest, in Hz; None where nothing is voiced."""
    preset = voicing.preset
    n_frames = len(samples) // preset.hop_samples
    f0_hz = extract_f0(samples, preset.sample_rate, preset.hop_samples, n_frames, "harvest")
    return float(np.median(f0_hz[f0_hz > 0])) if (f0_hz > 0).any() else None


def break_row(
    samples: Samples,
    plain: npt.NDArray[np.int64],
    longer: npt.NDArray[np.int64],
    places: list[int],
    setting: Setting,
) -> dict[str, Any]:
    """How many frames longer the utterance is, and how loud the breaks are under the loudest frame, in dB."""
    hop = setting.voicing.preset.hop_samples
    levels = frame_levels_db(samples, hop)
    ends = np.cumsum(longer)
    inner = [levels[ends[each] - longer[each] + _EDGE_FRAMES : ends[each] - _EDGE_FRAMES] for each in places]
    return {
        "breaks": len(places),
        "frames_expected": setting.break_frames * len(places),
        "frames_added": len(samples) // hop - int(plain.sum()),
        "level_db": [round(float(each.max() - levels.max()), 2) for each in inner],
    }


def frame_levels_db(samples: Samples, hop_samples: int) -> npt.NDArray[np.float64]:
    """Root mean square of every frame (F,), in dB."""
    frames = samples[: len(samples) // hop_samples * hop_samples].reshape(-1, hop_samples).astype(np.float64)
    return np.asarray(10.0 * np.log10(np.maximum(np.square(frames).mean(axis=1), 1e-12)))


def summarise(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """By alpha: frames over those of alpha = 1, over alpha; how far the median F0 moves. And all breaks together."""
    alphas = {}
    for alpha in rows[0]["alphas"]:
        ratios = [row["alphas"][alpha]["frames"] / row["alphas"]["1"]["frames"] / float(alpha) for row in rows]
        pairs = [(row["alphas"][alpha]["f0_hz"], row["alphas"]["1"]["f0_hz"]) for row in rows]
        moved = [here / there - 1.0 for here, there in pairs if here and there]
        alphas[alpha] = {
            "length_error": float(np.mean(ratios)) - 1.0,
            "f0_change": float(np.median(moved)) if moved else None,
        }
    breaks = [row["breaks"] for row in rows]
    levels = [level for each in breaks for level in each["level_db"]]
    return {
        "utterances": len(rows),
        "alphas": alphas,
        "breaks": sum(each["breaks"] for each in breaks),
        "breaks_exact": sum(each["breaks"] for each in breaks if each["frames_added"] == each["frames_expected"]),
        "breaks_silent": sum(level <= -SILENT_DB for level in levels),
        "break_level_db": float(np.median(levels)) if levels else None,
    }
