"""A tiny teacher and its students end to end on the mini corpus: stages, rounds, voices, and what is refused."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console
from safetensors.numpy import load_file

from recipes.tts.common.corpora.mini import speak_mini_corpus
from recipes.tts.common.infer import SYSTEMS
from recipes.tts.common.predicted import AcousticRun
from recipes.tts.prodiff import RECIPE
from speechkd.config import load_config
from speechkd.distill.fingerprint import fingerprint
from speechkd.errors import ConfigError, DataError, StageError
from speechkd.models.tts.load import load_model
from speechkd.runner import ItemStore, RunOptions, list_stages, run_recipe
from speechkd.synthesis import load_voice

ROOT = Path(__file__).resolve().parents[3]
N_UTTERANCES = 6
FFT = "{layers: 1, heads: 1, conv_channels: 16, conv_kernel: 3}"
TINY = f"""
corpus: {{limit: {N_UTTERANCES}}}
split: {{valid: 1, test: 2}}
align: {{backend: given, folder: mini/TextGrid}}
model: {{hidden: 16, encoder: {FFT}, predictor: {{channels: 8}}, denoiser: {{layers: 2, channels: 16}}}}
slices: {{frames: 32}}
train: {{max_steps: 4, schedule: {{warmup_steps: 2}}, log_every_steps: 2, valid_every_steps: 2,
        checkpoint_every_steps: 2, device: cpu, precision: fp32}}
vocoder: {{type: griffinlim, n_iter: 2}}
results: {{table: RESULTS.md}}
"""


class Bench:
    """A run of the teacher, and runs of students that take over what they share."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        egs = ROOT / "egs/mini/tts1/conf"
        (folder / "teacher.yaml").write_text(
            f"base: {egs}/prodiff_teacher.yaml\nrun: {{dir: teacher, base: null}}{TINY}"
        )
        (folder / "student.yaml").write_text(
            f"base: {egs}/prodiff.yaml\nrun: {{dir: student, base: teacher}}\nteacher: {{model: teacher/model}}{TINY}"
        )

    def cfg(self, name: str, *overrides: str) -> Any:
        """The configuration of the run of this name; all but the teacher's are students'."""
        path = self.folder / ("teacher.yaml" if name == "teacher" else "student.yaml")
        return load_config(path, RECIPE.config, [f"run.dir={self.folder / name}", *overrides])

    def run(self, name: str, *overrides: str, **options: Any) -> str:
        """Run it; returns what stood on the console."""
        out = io.StringIO()
        run_recipe(RECIPE, self.cfg(name, *overrides), RunOptions(**options), Console(file=out, width=300))
        return out.getvalue()

    def states(self, name: str, *overrides: str) -> dict[str, str]:
        return {status.name: status.text for status in list_stages(RECIPE, self.cfg(name, *overrides))}

    def weights(self, name: str) -> dict[str, np.ndarray]:
        return load_file(self.folder / name / "model" / "model.safetensors")

    def account(self, name: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads((self.folder / name / "model" / "distilled.json").read_text())
        return found


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """A finished teacher and its finished student."""
    pytest.importorskip("espeakng_loader")
    bench = Bench(tmp_path_factory.mktemp("prodiff"))
    (bench.folder / "mini").mkdir()
    speak_mini_corpus(bench.folder / "mini", N_UTTERANCES)
    bench.run("teacher")
    bench.before = (bench.folder / "teacher/model/model.safetensors").read_bytes()  # type: ignore[attr-defined]
    bench.console = bench.run("student")  # type: ignore[attr-defined]
    return bench


def test_what_the_teachers_run_has_done_is_taken_over(bench: Bench) -> None:
    console: str = bench.console  # type: ignore[attr-defined]
    for stage in ("prepare", "tokenize", "align", "extract"):
        assert f"{stage}: taken over from {bench.folder / 'teacher'}" in console
    assert set(bench.states("student").values()) == set(bench.states("teacher").values()) == {"fresh"}


def test_the_student_differs_from_its_teacher_in_the_denoiser_alone(bench: Bench) -> None:
    teacher, student = bench.weights("teacher"), bench.weights("student")
    assert teacher.keys() == student.keys()
    changed = {name.split(".")[0] for name in teacher if not np.array_equal(teacher[name], student[name])}
    assert changed == {"denoiser"}
    models = [load_model(bench.folder / name / "model") for name in ("teacher", "student")]
    assert [(each.config.stride, each.config.calls, each.config.diffusion.n_steps) for each in models] == [
        (0, 4, 4),
        (2, 2, 4),
    ]


def test_the_teacher_is_recorded_and_left_as_it_was(bench: Bench) -> None:
    weights = bench.folder / "teacher/model/model.safetensors"
    assert weights.read_bytes() == bench.before  # type: ignore[attr-defined]
    (row,) = bench.account("student")
    assert row == {"round": 1, "setting": 2, "teacher_setting": 4, "teacher": fingerprint(weights.parent)}
    log = next((bench.folder / "student/logs").glob("*_train.log")).read_text()
    assert row["teacher"][:16] in log and "2 steps, taught by the 4 of" in log


def test_the_histories_hold_the_terms(bench: Bench) -> None:
    expected = {"teacher": {"l1", "ssim", "duration", "pitch", "energy"}, "student": {"mel", "recording"}}
    for name, terms in expected.items():
        rows = [json.loads(line) for line in (bench.folder / name / "model/history.jsonl").read_text().splitlines()]
        assert [row["step"] for row in rows if row["kind"] == "valid"] == [2, 4]
        assert terms | {"loss"} == set(rows[-1]) - {"kind", "step", "epoch"}
        assert all(np.isfinite(value) for row in rows for value in row.values() if isinstance(value, float))


def test_speech_is_scored_and_each_part_of_it_is_timed(bench: Bench) -> None:
    """Mel alone (acoustic) and all of it (sum): which of the two a published factor means is often not said."""
    for name in ("teacher", "student"):
        run = bench.folder / name
        test = json.loads((run / "manifest/splits.json").read_text())["test"]
        store = ItemStore(run / "samples")
        for id_ in test:
            arrays = store.arrays(id_)
            assert arrays["mel_predicted"].shape == (arrays["durations_predicted"].sum(), 80)
            assert arrays["mel_true_durations"].shape == arrays["mel_recording"].shape
        assert all(len(list((run / "samples" / system).iterdir())) == len(test) for system in SYSTEMS)
        factors = json.loads((run / "timing/timing.json").read_text())["real_time_factor"]
        shown = ", ".join(f"{part} {factors[part]:.4f}" for part in factors)
        assert {"acoustic", "vocoder"} <= set(factors)
        expected = f"real-time factor: {shown}, sum {sum(factors.values()):.4f}"
        assert expected in (run / "results/RESULTS.md").read_text(encoding="utf-8")


def test_the_table_has_a_section_for_each(bench: Bench) -> None:
    table = (bench.folder / "RESULTS.md").read_text(encoding="utf-8")
    assert "## ProDiff teacher, small: 4 steps, Griffin-Lim" in table
    assert "## ProDiff, small: 2 steps, distilled, Griffin-Lim" in table
    assert "`egs/mini/tts1/run.sh prodiff`" in table and "`egs/mini/tts1/run.sh prodiff_teacher`" in table


@pytest.mark.parametrize(("name", "indices"), [("teacher", [3, 2, 1, 0]), ("student", [2, 0])])
def test_d1_their_voices_ask_the_denoiser_as_often_as_they_have_steps(
    bench: Bench, name: str, indices: list[int]
) -> None:
    voice = load_voice(bench.folder / name / "voice")
    seen: list[int] = []
    engine: Any = voice.engine
    engine.acoustic.denoiser.register_forward_pre_hook(lambda _, args: seen.append(int(args[1][0])))
    speech = voice.synthesize("Hello there.")
    assert seen == indices and np.isfinite(speech.samples).all()
    np.testing.assert_array_equal(voice.synthesize("Hello there.", seed=0).samples, speech.samples)
    seen.clear()
    voice.synthesize("Hello there.", steps=1)
    assert seen == indices[:1]


def test_its_mels_can_teach_a_vocoder(bench: Bench) -> None:
    """As many frames as the recording; with the model's own pitch and energy, or with the recorded ones."""
    features, folder = ItemStore(bench.folder / "student/features"), bench.folder / "student/model"
    free, forced = (AcousticRun(folder, flag).mel(features.ids[0], 0) for flag in (False, True))
    assert free.shape == forced.shape == features.array(features.ids[0], "mel").shape
    assert np.isfinite(forced).all() and np.abs(free - forced).max() > 1e-4
    AcousticRun(folder, True).check(bench.cfg("student").audio)


def test_rounds_halve_again_and_again(bench: Bench) -> None:
    """4 → 2 → 1: the second teacher is the first student, and the history goes on counting."""
    bench.run("rounds", "diffusion.steps=1", "teacher.rounds=2", stop_stage="train")
    account = bench.account("rounds")
    assert [(row["teacher_setting"], row["setting"]) for row in account] == [(4, 2), (2, 1)]
    assert account[0]["teacher"] == fingerprint(bench.folder / "teacher/model") != account[1]["teacher"]
    # The first round is the training of the student beside it: the same teacher, seed and steps.
    assert account[1]["teacher"] == fingerprint(bench.folder / "student/model")
    model = load_model(bench.folder / "rounds/model")
    assert (model.config.calls, [(step.level, step.index) for step in model.steps]) == (1, [(4, 0)])
    history = (bench.folder / "rounds/model/history.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in history if '"valid"' in line] == [2, 4, 6, 8]
    curves = {path.name for path in (bench.folder / "rounds/logs/tensorboard").iterdir()}
    assert curves == {"round-01", "round-02"}


def test_a_student_may_teach_in_a_run_of_its_own(bench: Bench) -> None:
    """The same chain as two runs makes the same weights as two rounds of one."""
    bench.run("second", f"teacher.model={bench.folder}/student/model", "diffusion.steps=1", stop_stage="train")
    first, second = bench.account("rounds"), bench.account("second")
    assert second[0]["teacher"] == first[1]["teacher"]
    both = [bench.weights(name) for name in ("second", "rounds")]
    assert all(np.array_equal(both[0][name], both[1][name]) for name in both[1])


def test_a_model_of_two_steps_without_a_teacher_is_a_teacher_of_two_steps(bench: Bench) -> None:
    cfg = bench.cfg("teacher", f"run.dir={bench.folder / 'direct'}", f"run.base={bench.folder / 'teacher'}",
                    "diffusion.steps=2")  # fmt: skip
    run_recipe(RECIPE, cfg, RunOptions(stop_stage="train"), Console(file=io.StringIO()))
    model = load_model(bench.folder / "direct/model")
    assert (model.config.calls, model.config.stride, len(model.schedule.alpha_bars)) == (2, 0, 3)
    assert not (bench.folder / "direct/model/distilled.json").exists()


def test_the_gradient_form_trains_and_speaks(bench: Bench) -> None:
    cfg = bench.cfg("teacher", f"run.dir={bench.folder / 'gradient'}", f"run.base={bench.folder / 'teacher'}",
                    "diffusion.parameterisation=gradient", "train.best_by=noise")  # fmt: skip
    run_recipe(RECIPE, cfg, RunOptions(stop_stage="infer"), Console(file=io.StringIO()))
    assert load_model(bench.folder / "gradient/model").config.diffusion.predicts == "noise"
    store = ItemStore(bench.folder / "gradient/samples")
    assert all(np.isfinite(store.arrays(id_)["mel_predicted"]).all() for id_ in store.ids)


@pytest.mark.parametrize(
    ("name", "override", "first"),
    [("teacher", "slices.frames=16", "train"), ("teacher", "loss.ssim=0.4", "train"),
     ("teacher", "diffusion.beta_max=30", "train"), ("student", "diffusion.sampler=released", "train"),
     ("student", "teacher.rounds=2", "train"), ("student", "audio.loudness_dbfs=-22", "extract")],
)  # fmt: skip
def test_a_change_goes_no_further_up_than_it_must(bench: Bench, name: str, override: str, first: str) -> None:
    assert next(stage for stage, text in bench.states(name, override).items() if text != "fresh") == first


def test_another_teacher_makes_the_student_stale(bench: Bench) -> None:
    states = bench.states("student", f"teacher.model={bench.folder}/student/model")
    assert states["train"].startswith("stale") and states["extract"] == "fresh"


def refused(bench: Bench, *overrides: str) -> BaseException:
    """Why a student cannot be trained."""
    shutil.rmtree(bench.folder / "refused", ignore_errors=True)
    with pytest.raises((ConfigError, DataError, StageError)) as caught:
        bench.run("refused", *overrides, stop_stage="train")
    return caught.value


@pytest.mark.parametrize(
    ("overrides", "message"),
    [(("diffusion.steps=1",), "speaks in 4 steps, not in 2"),
     (("model.denoiser.layers=3",), "model.denoiser.layers is 2 there and 3 here"),
     (("split.test=3",), "of the test sentences"),
     (("audio.loudness_dbfs=-22",), "another audio.loudness_dbfs"),
     (("teacher.model=nowhere/model",), "Train it first: run.sh prodiff_teacher")],
)  # fmt: skip
def test_teachers_that_cannot_teach_are_refused(bench: Bench, overrides: tuple[str, ...], message: str) -> None:
    assert message in str(refused(bench, *overrides))
