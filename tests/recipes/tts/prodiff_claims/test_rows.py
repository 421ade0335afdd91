"""Rows out of evidence written by hand."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from recipes.tts.common.claims.claim import row_of
from recipes.tts.common.claims.noise import all_hold, compared
from recipes.tts.prodiff_claims.names import LAST_PART, SYSTEMS
from recipes.tts.prodiff_claims.rows import CLAIMS, ROWS

CLAIM = {claim.id: claim for claim in CLAIMS}
STEPS = (2, 4, 8, 16, 32, 64, 128)


def around(mean: float, count: int = 6) -> list[float]:
    """Values of utterances that differ a little, the same way for every system."""
    return [mean + 0.001 * place for place in range(count)]


def timed(mel: float, total: float | None = None) -> dict[str, Any]:
    def rows(seconds: float) -> dict[str, Any]:
        return {str(n): {"mean_s": seconds * n / 400, "median_s": seconds * n / 400} for n in (200, 400, 800)}

    return {
        "mel": {"by_frames": rows(mel), "slope": 1.0},
        "total": {"by_frames": {} if total is None else rows(total), "slope": None},
    }


def evidence() -> dict[str, Any]:
    """Everything as the paper says."""
    scores = {"teacher": 20.0, "student": 20.5, "fastspeech2": 19.0}
    generator = {str(n): {"mel_l1": around(0.50), "mcd_db": around(10.0)} for n in STEPS}
    gradient = {
        str(n): {"mel_l1": around(0.5 + 40 / n**2), "mcd_db": around(10.0 + 800 / n**2)} for n in STEPS
    }  # fmt: skip
    sharp = {"recordings": 0.9, "teacher": 0.6, "student": 0.55, "direct": 0.4}
    errors = {"teacher": 9.0, "student": 9.5, "direct": 10.5, "gradient": 10.0, "generator": 10.0}
    quality = {name: {"mcd_db": around(db), "mel_l1": around(db / 20)} for name, db in errors.items()}
    for name, value in sharp.items():
        quality.setdefault(name, {})["sharpness"] = around(value)
    quality["released sampler"] = {"mcd_db": around(9.6), "mel_l1": around(0.48), "sharpness": around(0.5)}
    losses = {
        "teacher": {"own": around(0.20), "recording": around(0.20)},
        "student": {"own": around(0.05), "recording": around(0.22)},
        "direct": {"own": around(0.21), "recording": around(0.21)},
    }
    targets = {
        "mean": {"targets": 0.004, "around_targets": 0.09, "around_fastspeech2": 0.08},
        "by_bin": {"targets": [0.003, 0.005], "around_targets": [0.1, 0.08], "around_fastspeech2": [0.09, 0.07]},
        "half": {"mixture": 2e-4, "subtraction": 8e-3},
    }
    spread = {"different_bins": 20, "divergence": 0.020, "frames": 900}
    return {
        "systems": {
            name: {"artifacts": {}, "scores": {"predicted": {"mcd_dtw_db": scores.get(name, 30.0)}}} for name in SYSTEMS
        },
        "chains": {"steps": list(STEPS), "systems": {"generator": generator, "gradient": gradient}},
        "quality": {"systems": quality, "losses": losses},
        "targets": {"systems": {"teacher": targets}, "noises": 8, "utterances": 6},
        "diversity": {
            "bins": 50,
            "systems": {
                "teacher": {"pairwise_l1": around(0.30)}, "student": {"pairwise_l1": around(0.10)},
                "direct": {"pairwise_l1": around(0.20)},
            },
            "spread": {name: dict(spread) for name in ("teacher", "student", "gradient", "generator")},
        },
        "speed": {
            "lengths": [200, 400, 800], "hop_s": 0.01, "device": "a machine",
            "ways": {
                "teacher": timed(0.05, 0.5), "student": timed(0.03, 0.48), "fastspeech2": timed(0.02, 0.47),
                LAST_PART["teacher"]: timed(0.04), LAST_PART["student"]: timed(0.02),
                LAST_PART["fastspeech2"]: timed(0.01),
            },
        },
        "speakers": {
            "systems": {
                "joined": {
                    "ann": {"alone": "student", "joined_db": around(21.0), "alone_db": around(20.0)},
                    "ben": {"alone": "second", "joined_db": around(20.0), "alone_db": around(21.0)},
                }
            },
            "told_apart": {"of_each": 20, "spoken": {"ann": 19, "ben": 18}, "recordings": 20, "learned_from": 40},
        },
    }  # fmt: skip


def test_what_the_paper_says_is_in_the_papers_direction() -> None:
    for claim in CLAIMS:
        row = row_of(claim, evidence())
        assert row.direction == "yes", f"{claim.id}: {row.ours} {row.direction}"


def test_the_figures_come_out() -> None:
    ours = {claim.id: row_of(claim, evidence()).ours for claim in CLAIMS}
    assert ours["gradient_steps"].endswith("in 2, 4, 8, 16, 32, 64, 128 steps: falls apart")
    assert "mel L1 10.502, 3.002, 1.127" in ours["gradient_steps"] and "MCD 210.00 dB" in ours["gradient_steps"]
    assert ours["generator_steps"].endswith("stays within 10 %")
    assert ours["sharpness"].startswith("recordings 0.9025; teacher 0.6025; student 0.5525; without distillation 0.40")
    assert "student 0.0525; without distillation 0.2125 (the student beside recordings" in ours["own_loss"]
    assert (
        "0.0800 around FastSpeech 2, 0.0900 around the mean target (smaller in 2 of 2 bins)" in ours["target_variance"]
    )
    assert ours["halved"].startswith("2.00x at 200 frames, 2.00x at 400 frames, 2.00x at 800 frames; to the mel")
    # 400 frames of 10 ms are 4 s of speech.
    assert ours["real_time"].startswith("0.0075 to the mel (133x real time), 0.1200 to the samples (8.3x) on a machine")
    assert "fastspeech2 0.0050 and 0.1175" in ours["real_time"] and "1.50 times FastSpeech 2's time" in ours["order"]
    assert "ann 21.00 dB, alone 20.00 dB (+5.0%)" in ours["per_speaker"]
    assert ours["told_apart"] == "92.5% of outputs (ann 19 of 20; ben 18 of 20); of held-out recordings 20 of 20"


CHAIN = ("chains", "systems")


@pytest.mark.parametrize(
    ("row", "path", "value", "direction"),
    [
        ("quality", ("systems", "student", "scores", "predicted", "mcd_dtw_db"), 21.1, "**no**"),
        ("quality_fastspeech2", ("systems", "student", "scores", "predicted", "mcd_dtw_db"), 21.0, "**no**"),
        ("gradient_steps", (*CHAIN, "gradient", "4", "mcd_db"), around(12.0), "**no**"),
        ("gradient_steps", (*CHAIN, "gradient", "32", "mel_l1"), around(0.40), "**no**"),
        ("generator_steps", (*CHAIN, "generator", "2", "mcd_db"), around(11.2), "**no**"),
        ("generator_steps", (*CHAIN, "generator", "4", "mel_l1"), around(0.44), "**no**"),
        ("few_steps", (*CHAIN, "generator", "4", "mel_l1"), around(2.5), "**no**"),
        ("many_steps", ("quality", "systems", "gradient", "mcd_db"), around(13.0), "**no**"),
        ("sharpness", ("quality", "systems", "direct", "sharpness"), around(0.7), "**no**"),
        ("sharpness", ("quality", "systems", "student", "sharpness"), around(0.7), "**no**"),
        ("sharpness", ("quality", "systems", "student", "sharpness"), around(0.6), "yes"),
        ("sharpness", ("quality", "systems", "direct", "sharpness"), [0.5, 0.6] * 3, "within noise"),
        ("distortion", ("quality", "systems", "direct", "mcd_db"), around(9.0), "**no**"),
        ("distortion", ("quality", "systems", "direct", "mcd_db"), around(9.5), "within noise"),
        ("samplers", ("quality", "systems", "released sampler", "mcd_db"), around(9.4), "**no**"),
        ("own_loss", ("quality", "losses", "student", "own"), around(0.3), "**no**"),
        ("target_variance", ("targets", "systems", "teacher", "mean", "targets"), 0.085, "**no**"),
        ("half_precision", ("targets", "systems", "teacher", "half", "mixture"), 1e-2, "**no**"),
        ("other_samples", ("diversity", "systems", "student", "pairwise_l1"), [0.0, *around(0.1, 5)], "**no**"),
        ("other_samples", ("diversity", "systems", "student", "pairwise_l1"), around(0.4), "**no**"),
        ("spread", ("diversity", "spread", "student", "divergence"), 0.023, "**no**"),
        ("spread", ("diversity", "spread", "generator", "divergence"), 0.018, "**no**"),
        ("halved", ("speed", "ways", LAST_PART["student"]), timed(0.03), "**no**"),
        ("order", ("speed", "ways", LAST_PART["fastspeech2"]), timed(0.03), "**no**"),
        ("real_time", ("speed", "ways", "student"), timed(0.2, 0.5), "**no**"),
        ("per_speaker", ("speakers", "systems", "joined", "ben", "joined_db"), around(23.2), "**no**"),
        ("told_apart", ("speakers", "told_apart", "spoken", "ben"), 16, "**no**"),
    ],
)
def test_one_figure_turns_a_row(row: str, path: tuple[str, ...], value: Any, direction: str) -> None:
    known = evidence()
    place = known
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    assert row_of(CLAIM[row], known).direction == direction, row_of(CLAIM[row], known).ours


def test_a_model_that_changes_is_called_so() -> None:
    known = evidence()
    known["chains"]["systems"]["gradient"]["2"] = {"mel_l1": around(0.6), "mcd_db": around(11.0)}
    known["chains"]["systems"]["gradient"]["4"] = {"mel_l1": around(0.55), "mcd_db": around(10.5)}
    known["chains"]["systems"]["gradient"] |= {
        str(n): {"mel_l1": around(0.5), "mcd_db": around(10.0)} for n in STEPS[2:]
    }
    assert row_of(CLAIM["gradient_steps"], known).ours.endswith(": changes by up to 20%")


def test_a_model_that_never_learned_is_not_called_steady() -> None:
    known = evidence()
    known["chains"]["systems"]["gradient"] = {
        str(n): {"mel_l1": around(35382.0), "mcd_db": around(9.7e5)} for n in STEPS
    }
    row = row_of(CLAIM["gradient_steps"], known)
    assert row.ours.endswith(": apart even in all steps: it has not learned enough") and row.direction == "**no**"
    assert row.ours.startswith("mel L1 3.54e+04, ") and "MCD 9.7e+05 dB" in row.ours


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_missing_system_is_a_row_with_the_reason(name: str) -> None:
    known = copy.deepcopy(evidence())
    known["systems"][name] = {"missing": f"there is no finished run of {name}"}
    rows = {claim.id: row_of(claim, known) for claim in CLAIMS}
    silent = {id_ for id_, row in rows.items() if row.ours == f"not measured: there is no finished run of {name}"}
    needed = {
        "teacher": {"quality", "sharpness", "target_variance", "half_precision", "other_samples", "halved", "order"},
        "student": {"quality", "sharpness", "distortion", "samplers", "own_loss", "spread", "real_time", "per_speaker"},
        "direct": {"sharpness", "distortion", "own_loss"},
        "generator": {"gradient_steps", "generator_steps", "few_steps", "many_steps", "spread"},
        "gradient": {"gradient_steps", "few_steps", "many_steps", "spread"},
        "fastspeech2": {"quality_fastspeech2", "order"}, "joined": {"per_speaker", "told_apart"},
        "second": {"per_speaker"},
    }  # fmt: skip
    assert needed[name] <= silent and all(rows[each].direction == "" for each in silent)


def test_nothing_at_all_is_all_rows_and_no_error() -> None:
    for row in (row_of(claim, {"systems": {}}) for claim in CLAIMS):
        assert row.ours.startswith("not measured: ") and row.direction == ""


def test_systems_that_share_no_utterance_are_not_compared() -> None:
    known = evidence()
    known["quality"]["systems"] = {name: {} for name in known["quality"]["systems"]}
    for row in ("sharpness", "distortion", "samplers", "many_steps"):
        assert row_of(CLAIM[row], known).ours == "not measured: no utterance was said by all systems"


def test_rows_have_names_of_their_own() -> None:
    assert len(set(ROWS)) == len(ROWS) == len(CLAIMS) and {claim.paper for claim in CLAIMS} == {"ProDiff"}


def test_differences_are_counted_by_utterance() -> None:
    """Pairs: what is common to both systems is no noise."""
    assert compared([1.0, 5.0, 9.0], [0.9, 4.8, 8.9]) == 1 and compared([0.9, 4.8, 8.9], [1.0, 5.0, 9.0]) == -1
    assert compared([1.0, 5.0, 9.0], [1.2, 4.8, 9.0]) == 0 == compared([2.0], [1.0])
    # Four differences of deviation 1: the standard error is 0.5, and a mean of twice that is the border.
    apart = 3**0.5 / 2
    for mean, order in ((0.99, 0), (1.01, 1)):
        assert compared([mean + apart, mean + apart, mean - apart, mean - apart], [0.0] * 4) == order
    assert (all_hold(1, 1), all_hold(1, 0), all_hold(0, -1)) == (True, None, False)
