"""Rows out of evidence written by hand."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from recipes.tts.claims.names import SYSTEMS
from recipes.tts.claims.rows import CLAIMS, ROWS, row_of
from recipes.tts.claims.rows.curves import as_l1, step_reaching

CLAIM = {claim.id: claim for claim in CLAIMS}


def seconds(mean: float, frames: tuple[int, ...] = (100, 560), growth: float = 1.0) -> dict[str, Any]:
    rows = {str(n): {"mean_s": mean * (n / 560) ** growth, "median_s": mean * (n / 560) ** growth} for n in frames}
    return {"by_frames": rows, "slope": growth}


def evidence() -> dict[str, Any]:
    """Everything as the papers say."""
    ways = {
        "teacher": {"mel": seconds(6.735), "total": seconds(6.895)},
        "teacher_uncached": {"mel": seconds(60.0, growth=2.0), "total": seconds(60.0, growth=2.0)},
        "fastspeech": {"mel": seconds(0.025, growth=0.1), "total": seconds(0.180, growth=0.1)},
        "fastspeech2": {"mel": seconds(0.026, growth=0.1), "total": seconds(0.185, growth=0.1)},
        "fastspeech2s": {"mel": {"by_frames": {}, "slope": None}, "total": seconds(0.170, growth=0.1)},
        "teacher_published": {"mel": seconds(3.0), "total": seconds(3.1)},
        "fastspeech_published": {"mel": seconds(0.1, growth=0.1), "total": seconds(0.2, growth=0.1)},
    }
    one_thread = {name: {"mel": seconds(1.0), "total": seconds(1.0)} for name in ways}
    one_thread["teacher"] = {"mel": seconds(5.0), "total": seconds(6.0)}
    networks = {name: {"parameters": 30.7e6} for name in ways}
    listener = {
        "copy": {"words": 100, "skips": 1, "repeats": 0, "sentences_wrong": 1},
        "cut": {"planted": 10, "heard": 9},
        "doubled": {"planted": 10, "heard": 8},
    }
    heard = {"words": 200, "sentences": 50, "phones": 900, "not_understood": 0}
    alphas = {"0.5": {"length_error": -0.02, "f0_change": 0.01}, "1": {"length_error": 0.0, "f0_change": 0.0}}
    controlled = {"alphas": alphas, "breaks": 4, "breaks_exact": 4, "breaks_silent": 4, "break_level_db": -60.0}
    moments = {"mean": 200.0, "voiced_frames": 9, "dtw_hz": None, "energy_mae": None}
    pitch = {
        "recordings": moments | {"deviation": 54.4, "skewness": 0.836, "excess_kurtosis": 0.977},
        "fastspeech": moments | {"deviation": 50.8, "skewness": 0.7, "excess_kurtosis": 0.0, "energy_mae": 0.142},
        "fastspeech2": moments | {"deviation": 54.0, "skewness": 0.9, "excess_kurtosis": 1.0, "energy_mae": 0.131},
        "fastspeech2_paper": moments
        | {"deviation": 54.1, "skewness": 0.881, "excess_kurtosis": 0.996, "dtw_hz": 24.39},
        "fastspeech2_no_cwt": moments
        | {"deviation": 42.3, "skewness": 0.771, "excess_kurtosis": 1.115, "dtw_hz": 25.13},
    }
    losses = {
        "fastspeech": {"train": {"own": 0.3}, "valid": {"own": 0.35, "recording": 0.6}},
        "fastspeech_gt": {"train": {"own": 0.5}, "valid": {"own": 0.7}},
        "fastspeech_fc": {"train": {"own": 0.3}, "valid": {"own": 0.36}},
    }
    for rank, name in enumerate(("paper", "no_energy", "no_pitch", "neither", "no_cwt", "phoneme")):
        losses[f"fastspeech2_{name}"] = {"valid": {"own": 0.5 + rank / 100, "predicted": 0.6 + rank / 100}}
    losses["fastspeech2"] = {"train": {"own": 0.46}, "valid": {"own": 0.5}}
    losses["fastspeech2_phoneme"]["valid"]["predicted"] = 0.6
    curves = {
        "fastspeech": {"points": [[10, 4.0], [20, 1.0]], "steps": 20, "unit": "mse", "key": "recording_mel"},
        "fastspeech2": {"points": [[5, 0.8], [10, 0.4]], "steps": 10, "unit": "l1", "key": "mel"},
    }
    errors = {
        "attention": {"phone_ms": 19.68},
        "aligner": {"phone_ms": 12.0},
        "aligner_in_frames": {"phone_ms": 12.47},
    }
    variation = {
        "distilled": {"within_phone": 0.7, "over_all": 1.5},
        "recordings": {"within_phone": 1.1, "over_all": 1.8},
    }
    scores = {"fastspeech": 30.0, "teacher": 29.0, "fastspeech2": 25.0}
    return {
        "systems": {
            name: {"artifacts": {}, "scores": {"predicted": {"mcd_dtw_db": scores.get(name, 30.0)}}} for name in SYSTEMS
        },
        "speed": {"ways": ways, "one_thread": one_thread, "networks": networks, "lengths": [100, 560]},
        "robustness": {
            "listener": listener,
            "systems": {
                "teacher": heard
                | {"skips": 15, "repeats": 7, "sentences_wrong": 17, "words_empty": 9, "structure_wrong": 17},
                "fastspeech": heard
                | dict.fromkeys(("skips", "repeats", "sentences_wrong"), 0)
                | dict.fromkeys(("words_empty", "phones_empty", "structure_wrong"), 0),
            },
        },
        "control": {"break_frames": 40, "systems": {"fastspeech": controlled}},
        "targets": {"varied": variation, "sharpness": {"fastspeech": 4.0, "fastspeech_gt": 3.0}},
        "durations": {"utterances": 50, "errors": errors},
        "training": {
            "systems": curves,
            "parts": {"teacher": 38.64 * 3600, "targets": 0.0, "fastspeech": 14.48 * 3600, "fastspeech2": 17.02 * 3600},
        },
        "pitch": {"systems": pitch},
        "ablation": {"systems": losses},
    }  # fmt: skip


def test_what_the_papers_measured_is_in_the_papers_direction() -> None:
    for claim in CLAIMS:
        row = row_of(claim, evidence())
        assert row.direction == "yes", f"{claim.id}: {row.ours} {row.direction}"


def test_figures_of_the_papers_come_out() -> None:
    ours = {claim.id: row_of(claim, evidence()).ours for claim in CLAIMS}
    assert "269.4x by means" in ours["mel_speed"]
    assert ours["mel_speed"].endswith("; 5.0x on one thread")
    assert "38.3x by means" in ours["end_to_end_speed"]
    expected = "30.0x (3.000 s and 0.1000 s at 560 frames; 30.7 M and 30.7 M parameters); 1.0x on one thread"
    assert ours["mel_speed_published"] == expected
    assert ours["training_time"].startswith("3.12x")
    assert "7 repeats, 15 skips, 17 sentences (34%)" in ours["robust_heard"]
    assert "2.0 false alarms" in ours["robust_heard"]  # one in a hundred words, in two hundred
    assert "attention 19.7 ms; aligner in the same frames 12.5 ms" in ours["duration_error"]
    assert "FastSpeech 2 0.040, FastSpeech 0.050" in ours["gap"]


def test_published_sizes_that_were_not_timed_and_one_thread_throughout() -> None:
    known = evidence()
    known["speed"]["one_thread"] = {}
    assert row_of(CLAIM["mel_speed"], known).ours.endswith("at 560 frames)")
    del known["speed"]["ways"]["teacher_published"]
    assert row_of(CLAIM["mel_speed_published"], known).ours.startswith("not measured: speed.ways.teacher_published")


def test_timed_steps_are_told_and_must_have_taken_time() -> None:
    known = evidence()
    known["training"]["steps_s"] = {"fastspeech2": 0.5}
    assert "fastspeech2 1021.2 min, 10 steps of 0.50 s" in row_of(CLAIM["training_time"], known).ours
    known["training"]["parts"]["fastspeech2"] = -1.0
    assert "too short to be timed" in row_of(CLAIM["training_time"], known).ours


def test_the_time_to_the_same_loss() -> None:
    """FastSpeech ends at 0.6 (its least squared error is 1): reached at step 20 of 20; FastSpeech 2 comes down from 0.8
    to 0.4 between steps 5 and 10 and passes 0.6 at 7.5 of 10."""
    row = row_of(CLAIM["training_time_same_loss"], evidence())
    expected = (38.64 + 14.48) / (17.02 * 0.75)
    assert row.ours.startswith(f"{expected:.2f}x to a mel L1 of 0.600")


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_missing_system_is_a_row_with_the_reason(name: str) -> None:
    known = evidence()
    for stage in known:
        known[stage].get("systems", {}).pop(name, None) if stage != "systems" else None
    known["systems"][name] = {"missing": f"there is no finished run of {name}"}
    rows = {claim.id: row_of(claim, known) for claim in CLAIMS}
    silent = [row for row in rows.values() if row.ours == f"not measured: there is no finished run of {name}"]
    assert all(row.direction == "" for row in silent)
    needed = {"teacher": "mel_speed", "fastspeech_gt": "distilled_loss", "fastspeech2_no_cwt": "pitch_spread"}
    if name in needed:
        assert rows[needed[name]] in silent
    if name == "fastspeech_fc":
        assert silent == [rows["convolutions"]]


def test_nothing_at_all_is_all_rows_and_no_error() -> None:
    for row in (row_of(claim, {"systems": {}}) for claim in CLAIMS):
        assert row.ours.startswith("not measured: ") and row.direction == ""


def test_a_direction_that_does_not_hold_is_shown_with_its_cause() -> None:
    known = copy.deepcopy(evidence())
    known["durations"]["errors"]["attention"]["phone_ms"] = 5.0
    assert row_of(CLAIM["duration_error"], known).direction == "**no**"
    cells = row_of(CLAIM["duration_error"], known, "the reference is the teacher's").cells("run.sh claims")
    assert cells[1] == "12.47 against 19.68 ms"
    assert cells[3] == "**no**; likely cause: the reference is the teacher's"
    assert cells[4] == "`run.sh claims`"


@pytest.mark.parametrize(
    ("row", "stage", "path", "value"),
    [
        ("mel_speed", "speed", ("ways", "fastspeech", "mel", "by_frames", "560", "mean_s"), 7.0),
        ("speed_control", "control", ("systems", "fastspeech", "alphas", "0.5", "length_error"), -0.04),
        ("pitch_kept", "control", ("systems", "fastspeech", "alphas", "0.5", "f0_change"), 0.06),
        ("breaks", "control", ("systems", "fastspeech", "breaks_silent"), 3),
        ("robust_heard", "robustness", ("systems", "fastspeech", "skips"), 23),
        ("pitch_spread", "pitch", ("systems", "fastspeech2_paper", "deviation"), 30.0),
        ("ablation_true", "ablation", ("systems", "fastspeech2_no_pitch", "valid", "own"), 0.505),
        ("simpler_targets", "targets", ("varied", "distilled", "within_phone"), 1.2),
    ],
)
def test_one_figure_turns_a_row(row: str, stage: str, path: tuple[str, ...], value: float) -> None:
    known = copy.deepcopy(evidence())
    place = known[stage]
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    assert row_of(CLAIM[row], known).direction == "**no**"


def test_rows_have_names_of_their_own() -> None:
    assert len(set(ROWS)) == len(ROWS) == len(CLAIMS)
    assert {claim.paper for claim in CLAIMS} == {"FastSpeech", "FastSpeech 2"}


def test_curves() -> None:
    points = [[10, 2.0], [20, 1.0], [30, 1.5], [40, 0.5]]
    assert step_reaching(points, 1.5) == pytest.approx(15)
    assert step_reaching(points, 0.75) == pytest.approx(37.5)
    assert step_reaching(points, 2.0) == 10
    assert step_reaching(points, 0.4) is None
    assert as_l1([[1, 9.0], [2, 4.0]], "mse", 1.6) == [[1, pytest.approx(2.4)], [2, pytest.approx(1.6)]]


def test_a_guided_teacher_is_named_beside_its_errors() -> None:
    plain = evidence()
    row = row_of(CLAIM["duration_error"], plain)
    assert "guide.by" not in row.ours
    for guide in ("", "none", "diagonal"):
        assert row_of(CLAIM["duration_error"], copy.deepcopy(plain) | {
            "durations": plain["durations"] | {"guide": guide}}) == row  # fmt: skip
    taught = row_of(CLAIM["duration_error"], plain | {"durations": plain["durations"] | {"guide": "alignment"}})
    assert (
        taught.ours == row.ours + "; this teacher's attention was taught by the aligner's alignment "
        "(guide.by: alignment)"
    )
    assert taught.direction == row.direction
