"""The small pieces of the measuring stages."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from recipes.tts.claims import RECIPE
from recipes.tts.claims.control import boundary_places, break_row, frame_levels_db, summarise
from recipes.tts.claims.durations import guide
from recipes.tts.claims.listening import Heard, listener_summary
from recipes.tts.claims.pitch import energy_error
from recipes.tts.claims.robustness import attended_tokens, structure_wrong, student_structure, teacher_structure
from recipes.tts.claims.rows import CLAIMS
from recipes.tts.claims.sentences import hard_sentences
from recipes.tts.claims.speed import never_stopping
from recipes.tts.claims.table import SPEAKING, command
from recipes.tts.common.claims.systems import System, spread
from recipes.tts.common.claims.timing import even_durations, log_slope, summary
from speechkd.audio.presets import mel_preset
from speechkd.errors import DataError
from speechkd.runner.records import Plan, Record, RunFolder
from speechkd.text import EnglishFrontend, Tokens, Word

SENTENCE = Tokens(
    ("^", "G", "OW1", "|", "AW1", "T", "."), (-1, 0, 0, -1, 1, 1, -1),
    (Word("go", ("G", "OW1"), "lexicon"), Word("out", ("AW1", "T"), "lexicon")),
)  # fmt: skip


def test_fifty_hard_sentences_in_five_kinds_of_ten() -> None:
    sentences = hard_sentences()
    kinds = [each.category for each in sentences]
    assert {kind: kinds.count(kind) for kind in kinds} == {
        "single letters": 10,
        "spelled strings": 10,
        "digit strings": 10,
        "repeated words": 10,
        "long sentences": 10,
    }
    assert len({each.id for each in sentences}) == len({each.text for each in sentences}) == 50
    frontend = EnglishFrontend()
    words = {each.id: [word.text for word in frontend.tokens(each.text).words] for each in sentences}
    assert all(len(words[each.id]) >= 40 for each in sentences if each.category == "long sentences")
    assert words["digit-strings-01"] == "call five five zero one nine nine three".split()
    assert words["single-letters-02"] == ["W"]
    repeated = [words[each.id] for each in sentences if each.category == "repeated words"]
    assert all(len(set(each)) <= 0.75 * len(each) for each in repeated)
    assert [each.id for each in hard_sentences(1)] == [each.id for each in sentences if each.id.endswith("-01")]


@pytest.mark.parametrize(("tokens", "frames"), [(7, 100), (100, 7), (1, 5), (80, 560)])
def test_even_durations_add_up(tokens: int, frames: int) -> None:
    durations = even_durations(tokens, frames)
    assert durations.sum() == frames and len(durations) == tokens
    assert durations.max() - durations.min() <= 1


def test_slopes_of_powers() -> None:
    assert log_slope({n: 3.0 * n**1.5 for n in (100, 200, 800)}) == pytest.approx(1.5)
    assert log_slope({100: 2.0, 800: 2.0}) == pytest.approx(0.0)
    assert log_slope({100: 2.0}) is None
    told = summary({100: [1.0, 2.0, 6.0], 200: []})
    assert told["by_frames"] == {"100": {"mean_s": 3.0, "median_s": 2.0, "seconds": [1.0, 2.0, 6.0]}}


def test_spread_takes_both_ends() -> None:
    assert spread(list("abcdefghij"), 3) == ["a", "e", "j"]
    assert spread(["a", "b"], 5) == spread(["a", "b"], 0) == ["a", "b"]


def test_students_words_without_frames() -> None:
    found = student_structure(SENTENCE, np.array([0, 2, 0, 0, 0, 0, 4]))
    assert found == {"phones": 4, "phones_empty": 3, "words_empty": 1}
    assert structure_wrong(found)
    assert not structure_wrong(student_structure(SENTENCE, np.array([0, 2, 1, 0, 3, 1, 0])))


def test_teachers_attention_that_jumps_and_misses() -> None:
    path = np.array([0, 1, 2, 1, 2, 3, 2, 0, 3, 6])
    found = teacher_structure(SENTENCE, path, backward_tokens=2)
    assert found == {"phones": 4, "phones_empty": 2, "words_empty": 1, "backward_jumps": 1}
    straight = teacher_structure(SENTENCE, np.array([0, 1, 2, 4, 5, 6]), backward_tokens=2)
    assert not structure_wrong(straight | {"stopped": True})
    assert structure_wrong(straight | {"stopped": False})


def test_the_attended_tokens_are_those_of_the_models_head() -> None:
    attention = torch.zeros(2, 2, 3, 4)
    attention[0, 1, torch.arange(3), torch.tensor([0, 2, 3])] = 0.6
    attention[1, 0, torch.arange(3), torch.tensor([3, 3, 0])] = 0.9
    model: Any = SimpleNamespace(config=SimpleNamespace(head=(0, 1)))
    assert attended_tokens(model, attention).tolist() == [0, 2, 3]
    model.config.head = None  # the sharpest
    assert attended_tokens(model, attention).tolist() == [3, 3, 0]


def test_breaks_stand_between_words() -> None:
    assert boundary_places(SENTENCE) == [3]
    long = EnglishFrontend().tokens("one two three four five six seven")
    places = boundary_places(long)
    assert len(places) == 2 and all(long.symbols[place] == "|" for place in places)


def test_a_break_is_as_long_and_as_silent_as_it_is() -> None:
    hop = mel_preset("hifigan_22k").hop_samples
    setting: Any = SimpleNamespace(voicing=SimpleNamespace(preset=mel_preset("hifigan_22k")), break_frames=20)
    plain = np.array([0, 30, 0, 30])
    longer = plain + np.array([0, 0, 20, 0])
    noise = np.random.default_rng(0).normal(0, 0.1, 80 * hop).astype("f4")
    noise[30 * hop : 50 * hop] *= 0.01
    row = break_row(noise, plain, longer, [2], setting)
    assert (row["frames_added"], row["frames_expected"], row["breaks"]) == (20, 20, 1)
    assert row["level_db"] == [pytest.approx(-40, abs=3)]
    assert frame_levels_db(np.full(hop, 0.1, "f4"), hop) == pytest.approx([-20.0])


def test_control_is_summed_up() -> None:
    def utterance(slow: int, f0_hz: float | None, level: float) -> dict[str, Any]:
        alphas = {"1": {"frames": 100, "f0_hz": 200.0}, "1.5": {"frames": slow, "f0_hz": f0_hz}}
        breaks = {"breaks": 1, "frames_expected": 40, "frames_added": 40, "level_db": [level]}
        return {"alphas": alphas, "breaks": breaks}

    found = summarise([utterance(150, 210.0, -60.0), utterance(162, None, -10.0)])
    assert found["alphas"]["1.5"] == {"length_error": pytest.approx(0.04), "f0_change": pytest.approx(0.05)}
    assert (found["breaks"], found["breaks_exact"], found["breaks_silent"]) == (2, 2, 1)


def test_the_listener_is_summed_up() -> None:
    good, bad = Heard(10, 0, 0, True).to_json(), Heard(10, 2, 1, True).to_json()
    rows = [
        {"recording": good, "copy": good, "cut": bad, "doubled": bad},
        {"recording": good, "copy": bad, "cut": good, "doubled": bad},
    ]
    found = listener_summary(rows)
    assert found["copy"] == {"words": 20, "skips": 2, "repeats": 1, "sentences_wrong": 1}
    assert found["cut"] == {"planted": 2, "heard": 1} and found["doubled"] == {"planted": 2, "heard": 2}
    assert Heard(3, 3, 0, False).to_json()["wrong"]


def test_energy_errors_are_in_deviations() -> None:
    """Half the amplitude is half the energy: the error is half the mean energy."""
    preset = mel_preset("hifigan_22k")
    noise = np.random.default_rng(0).normal(0, 0.1, 40 * preset.hop_samples).astype("f4")
    assert energy_error(noise, noise, preset, 2.0) == 0
    one, two = (energy_error(noise, noise * 0.5, preset, deviation) for deviation in (1.0, 2.0))
    assert one == pytest.approx(2 * two) and one > 0
    assert energy_error(noise, noise * 0, preset, 1.0) == pytest.approx(2 * one, rel=1e-4)
    with pytest.raises(DataError, match="timing"):
        energy_error(noise, noise[: len(noise) // 2], preset, 1.0)


def test_a_teacher_that_never_stops_is_a_copy() -> None:
    from speechkd.models.tts.transformer_config import TransformerConfig

    config = TransformerConfig(n_symbols=4, n_mels=2, mel_mean=(0.0, 0.0), mel_deviation=(1.0, 1.0))
    model: Any = SimpleNamespace(config=config)
    never_stopping(model)
    assert model.config.network.stop.threshold > 1
    assert config.network.stop.threshold == 0.5


@pytest.mark.parametrize(
    ("stage", "told", "external", "found"),
    [
        ("train", {"guide.by": "alignment", "guide.weight": 0.3}, {}, "alignment"),
        ("train", {"guide.by": "alignment", "guide.weight": 0.0}, {}, "none"),
        ("train", {"guide.by": "diagonal", "guide.weight": 1.0}, {}, "diagonal"),
        ("train", {"loss.mel": "l1"}, {}, ""),
        ("teach", {"teacher.own.guide.by": "alignment", "teacher.own.guide.weight": 0.3}, {}, "alignment"),
        ("teach", {"teacher.own": None}, {"teacher.model": "0f"}, ""),
    ],
)
def test_what_taught_the_attention_stands_in_the_record(
    tmp_path: Path, stage: str, told: dict[str, Any], external: dict[str, str], found: str
) -> None:
    RunFolder(tmp_path).write_record(stage, Record(Plan("tts/x", stage, 1, told, {}, external), {}, {}, 1.0))
    assert guide(System("teacher", tmp_path, "model" if stage == "train" else "teacher")) == found
    assert guide(System("teacher", tmp_path / "nothing")) == ""


def test_commands_carry_what_was_given_from_outside() -> None:
    hifigan = SimpleNamespace(type="hifigan", path=Path("/somewhere/v3"))
    cfg = SimpleNamespace(
        corpus=SimpleNamespace(name="x"),
        vocoder=hifigan,
        durations=SimpleNamespace(reference=Path("/somewhere/TextGrid")),
    )
    confs = {"fastspeech": "tiny/fastspeech", "teacher": "tiny/transformer"}
    commands = {claim.id: command(claim, confs, cfg) for claim in CLAIMS}
    where = "egs/x/tts1/run.sh"
    assert commands["mel_speed"] == f"{where} claims --set vocoder.path=v3 --only speed"
    assert commands["duration_error"] == f"{where} claims --set durations.reference=TextGrid --only durations"
    assert commands["pitch_spread"] == f"{where} claims --only pitch"
    assert commands["quality"] == f"{where} tiny/fastspeech --set corpus.dir=CORPUS --set vocoder.path=v3"
    cfg.corpus.name, cfg.vocoder, cfg.durations.reference = "mini", SimpleNamespace(type="griffinlim"), None
    commands = {claim.id: command(claim, {}, cfg) for claim in CLAIMS}
    assert commands["quality"] == "egs/mini/tts1/run.sh fastspeech"
    assert commands["duration_error"] == "egs/mini/tts1/run.sh claims --only durations"
    assert commands["mel_speed"] == "egs/mini/tts1/run.sh claims --only speed"


def test_the_stages_that_speak_are_those_that_declare_the_vocoder() -> None:
    assert set(SPEAKING) == {
        stage.name for stage in RECIPE.stages if "vocoder.path" in stage.external and stage.name != "table"
    }
