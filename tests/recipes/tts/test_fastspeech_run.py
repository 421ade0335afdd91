"""A small teacher and its student end to end: what flows, what is left out, and that bytes do not depend on workers."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rich.console import Console

from recipes.tts.common.corpora.mini import speak_mini_corpus
from recipes.tts.common.manifest import Manifest
from recipes.tts.common.texts import Texts
from recipes.tts.fastspeech import RECIPE
from recipes.tts.fastspeech.config import LossSection
from recipes.tts.fastspeech.task import FastSpeechTask, Recordings
from recipes.tts.transformer import RECIPE as TEACHER
from speechkd.config import load_config
from speechkd.distill.fingerprint import fingerprint
from speechkd.distill.store import TargetStore
from speechkd.distill.teacher import StoredTargets
from speechkd.errors import ArtifactError, StageError
from speechkd.models.tts.load import load_model
from speechkd.runner import ItemStore, RunOptions, list_stages, run_recipe
from speechkd.training.loop import fit
from speechkd.training.options import TrainOptions

N_UTTERANCES = 6
SHARED = f"""
corpus: {{name: mini, limit: {N_UTTERANCES}, title: mini, speaker: espeak-ng, licence: Apache-2.0}}
split: {{valid: 1, test: 1}}
align: {{backend: given, folder: mini/TextGrid}}
vocoder: {{type: griffinlim, n_iter: 4}}
score: {{recogniser: false}}
pack: {{name: toy}}
"""
LOOP = (
    "schedule: {name: cosine, warmup_steps: 2}, device: cpu, precision: fp32, threads: 1, batch_frames: 4000, "
    "log_every_steps: 2"
)
FFT = "{layers: 1, heads: 1, conv_channels: 16, conv_kernel: 3}"
WIDE = "{layers: 1, heads: 1, conv_channels: 32, conv_kernel: 3}"
# Forty steps, pushed hard along the diagonal: enough to stop, and to look at the text more or less in order.
NETWORK = (
    f"{{hidden: 32, encoder: {WIDE}, decoder: {WIDE}, prenet: {{layers: 1, channels: 16}}, token_position_rate: 6, "
    "stop: {threshold: 0.3}}"
)
RARELY = "valid_every_steps: 40, checkpoint_every_steps: 40"
TAUGHT = f"{{max_steps: 40, optimizer: {{learning_rate: 1.0e-2}}, {RARELY}, {LOOP}}}"


class Bench:
    """A run of the teacher, and runs of its student that take over what they share."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        sections = f"model: {NETWORK}\nguide: {{weight: 10.0}}\ncheck: {{spoken: 0}}\ntrain: {TAUGHT}\n"
        (folder / "teacher.yaml").write_text(f"recipe: tts/transformer\nrun: {{dir: teacher}}\n{SHARED}{sections}")
        small = FFT.replace("}", ", second_kernel: 3}")
        (folder / "student.yaml").write_text(
            f"recipe: tts/fastspeech\nrun: {{dir: kd, base: teacher}}\n{SHARED}"
            "teacher: {model: teacher/model}\n"
            "targets: {teacher_focus: 0, focus_threshold: 0, shortest: 0, longest: 3}\n"
            f"model: {{hidden: 16, encoder: {small}, decoder: {small}, predictor: {{channels: 8}}}}\n"
            f"train: {{max_steps: 4, valid_every_steps: 2, checkpoint_every_steps: 2, {LOOP}}}\n"
        )

    def cfg(self, name: str = "kd", **settings: Any) -> Any:
        """The student's configuration, for a run folder of this name."""
        overrides = [f"run.dir={self.folder / name}"]
        overrides += [f"run.base={self.folder / 'kd'}"] if name != "kd" else []
        overrides += [f"{key.replace('__', '.')}={value}" for key, value in settings.items()]
        return load_config(self.folder / "student.yaml", RECIPE.config, overrides)

    def run(self, cfg: Any, **options: Any) -> str:
        """Run the student; returns what stood on the console."""
        out = io.StringIO()
        run_recipe(RECIPE, cfg, RunOptions(**options), Console(file=out, width=300))
        return out.getvalue()

    def store(self, run: str, artifact: str = "targets") -> ItemStore:
        return ItemStore(self.folder / run / artifact)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """A trained teacher, and its student trained, spoken, measured and packed."""
    pytest.importorskip("espeakng_loader")
    bench = Bench(tmp_path_factory.mktemp("fastspeech"))
    (bench.folder / "mini").mkdir()
    speak_mini_corpus(bench.folder / "mini", N_UTTERANCES)
    teacher = load_config(bench.folder / "teacher.yaml", TEACHER.config)
    run_recipe(TEACHER, teacher, RunOptions(stop_stage="train"), Console(file=io.StringIO()))
    bench.console = bench.run(bench.cfg(), stop_stage="pack")  # type: ignore[attr-defined]
    return bench


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_what_the_teachers_run_has_done_is_taken_over(bench: Bench) -> None:
    console: str = bench.console  # type: ignore[attr-defined]
    for stage in ("prepare", "tokenize", "align", "extract"):
        assert f"{stage}: taken over from {bench.folder / 'teacher'}" in console
    states = {status.name: status.text for status in list_stages(RECIPE, bench.cfg())}
    assert {name for name, text in states.items() if text == "fresh"} == set(states) - {"results"}
    assert files(bench.folder / "kd/teacher") == files(bench.folder / "teacher/model")


def test_t04_durations_sum_to_the_frames_of_their_mel(bench: Bench) -> None:
    targets, spoken = bench.store("kd"), bench.store("kd", "spoken")
    assert len(targets) == N_UTTERANCES - 1
    for id_ in targets.ids:
        arrays, meta = targets.arrays(id_), targets.meta(id_)
        assert arrays["mel"].dtype == np.float32 and arrays["durations"].dtype == np.int32
        assert arrays["durations"].sum() == len(arrays["mel"]) == meta["n_frames"]
        assert len(arrays["durations"]) == len(spoken.meta(id_)["symbols"])
        assert 0 < meta["focus_rate"] <= 1 and 0 <= meta["backward_share"] <= 1 and meta["stopped"] is True


def test_targets_are_the_teachers_own_speech_and_not_the_recording(bench: Bench) -> None:
    teacher = load_model(bench.folder / "teacher/model")
    assert teacher.config.head == (0, 0)
    targets, features = bench.store("kd"), bench.store("kd", "features")
    assert [len(targets.array(id_, "mel")) for id_ in targets.ids] != [
        features.meta(id_)["n_frames"] for id_ in targets.ids
    ]


def test_forced_durations_are_of_the_recordings_of_valid_and_test(bench: Bench) -> None:
    forced, features = bench.store("kd", "forced"), bench.store("kd", "features")
    splits = Manifest.read(bench.folder / "kd/manifest").splits
    assert sorted(forced.ids) == sorted([*splits["valid"], *splits["test"]])
    for id_ in forced.ids:
        assert forced.array(id_, "durations").sum() == features.meta(id_)["n_frames"] == forced.meta(id_)["n_frames"]


def test_t17_no_test_utterance_is_learned_from(bench: Bench) -> None:
    splits = Manifest.read(bench.folder / "kd/manifest").splits
    assert not set(bench.store("kd").ids) & set(splits["test"])
    assert set(bench.store("kd").ids) == {*splits["train"], *splits["valid"]}
    # The student's run splits as the teacher's did, from other bytes of the same corpus or not.
    assert splits == Manifest.read(bench.folder / "teacher/manifest").splits


def test_two_workers_make_the_bytes_of_one(bench: Bench) -> None:
    cfg = bench.cfg("two")
    bench.run(cfg, stop_stage="teach")
    bench.run(cfg, stage="targets", stop_stage="targets", force=True, jobs=2)
    for artifact in ("targets", "forced"):
        one, two = (files(bench.folder / run / artifact) for run in ("kd", "two"))
        assert one.keys() == two.keys() and not [name for name in one if one[name] != two[name]]


def test_what_does_not_follow_the_text_is_left_out_and_listed(bench: Bench) -> None:
    rates = {id_: bench.store("kd").meta(id_)["focus_rate"] for id_ in bench.store("kd").ids}
    valid = Manifest.read(bench.folder / "kd/manifest").splits["valid"][0]
    threshold = round(sorted(rates.values())[1] - 1e-6, 6)
    console = bench.run(bench.cfg("strict", targets__focus_threshold=threshold), stop_stage="targets")
    low = {id_ for id_, rate in rates.items() if rate < threshold}
    assert len(low) == 1 and set(bench.store("strict").ids) == set(rates) - low
    listed = [json.loads(line) for line in (bench.folder / "strict/targets/rejected.jsonl").read_text().splitlines()]
    assert [row["id"] for row in listed] == sorted(low)
    assert all(row["reason"].startswith("focus rate 0.") for row in listed)
    assert "4 of 5 utterances kept (80.0%): mean focus rate" in console and "backward jumps" in console
    assert min(low) in next((bench.folder / "strict/logs").glob("*_targets.log")).read_text()
    summary = json.loads((bench.folder / "strict/targets/summary.json").read_text())
    assert summary["kept_share"] == 0.8
    assert summary["focus_rate"] == pytest.approx(np.mean([rates[id_] for id_ in set(rates) - low]), abs=1e-5)
    assert valid in rates


def test_nothing_left_is_an_error_that_says_why(bench: Bench) -> None:
    with pytest.raises(StageError, match=r"none of 5 utterances.*focus rate.*targets\.focus_threshold"):
        bench.run(bench.cfg("none", targets__focus_threshold=1), stop_stage="targets")


def test_t08_a_teacher_below_half_is_refused_by_the_run(bench: Bench) -> None:
    rate = json.loads((bench.folder / "teacher/model/head.json").read_text())["focus_rate"]
    with pytest.raises(StageError, match="no attention head of the teacher follows the text"):
        bench.run(bench.cfg("garbage", targets__teacher_focus=min(1.0, rate + 0.01)), stop_stage="targets")


def test_gt_learns_the_recordings_with_the_teachers_durations(bench: Bench) -> None:
    """T4 once more: mel and durations are both of the recording's pass."""
    bench.run(bench.cfg("gt", targets__source="gt", targets__path="monotone"), stop_stage="train")
    targets, features = bench.store("gt"), bench.store("gt", "features")
    for id_ in targets.ids:
        arrays = targets.arrays(id_)
        np.testing.assert_array_equal(arrays["mel"], features.array(id_, "mel"))
        assert arrays["durations"].sum() == features.meta(id_)["n_frames"]
    assert (bench.folder / "gt/model/model.safetensors").is_file()


def test_a_teacher_can_be_trained_in_the_run(bench: Bench) -> None:
    steps = TAUGHT.replace("40,", "2,")
    own = f"model: {NETWORK}, train: {steps}, check: {{spoken: 0}}"
    cfg = bench.cfg("own", teacher=f"{{model: null, own: {{{own}}}}}")
    bench.run(cfg, stop_stage="teach")
    teacher = bench.folder / "own/teacher"
    assert load_model(teacher).kind == "transformer"
    assert json.loads((teacher / "head.json").read_text())["layer"] == 0
    assert json.loads((teacher / "history.jsonl").read_text().splitlines()[-1])["step"] == 2


def test_the_history_tells_own_targets_from_recordings(bench: Bench) -> None:
    rows = [json.loads(line) for line in (bench.folder / "kd/model/history.jsonl").read_text().splitlines()]
    valid = [row for row in rows if row["kind"] == "valid"]
    assert [row["step"] for row in valid] == [2, 4]
    for row in valid:
        assert row["loss"] == pytest.approx(row["mel"] + row["duration"])
        assert np.isfinite([row["recording_mel"], row["recording_duration"]]).all()
        assert row["recording_mel"] != row["mel"]


def test_the_student_speaks_is_measured_and_packed(bench: Bench) -> None:
    from speechkd.synthesis import load_voice

    test = Manifest.read(bench.folder / "kd/manifest").splits["test"]
    samples = bench.store("kd", "samples")
    assert list(samples.ids) == test
    for id_ in test:
        arrays = samples.arrays(id_)
        assert arrays["mel_true_durations"].shape == arrays["mel_recording"].shape
        assert len(arrays["mel_predicted"]) == arrays["durations_predicted"].sum() > 0
    scores = json.loads((bench.folder / "kd/scores/scores.json").read_text())
    assert scores["copy"]["mcd_dtw_db"] < scores["predicted"]["mcd_dtw_db"]
    voice = load_voice(bench.folder / "kd/voice")
    plain, slow = (voice.synthesize("Hello there.", speed=speed) for speed in (1.0, 0.5))
    assert np.isfinite(plain.samples).all() and len(slow.samples) >= len(plain.samples)


@dataclass
class Killed:
    """A monitor that ends the run at a step, as a kill would."""

    at: int = 0
    rows: list[Mapping[str, Any]] = field(default_factory=list)

    def row(self, row: Mapping[str, Any]) -> None:
        self.rows.append(row)

    def advance(self, step: int, loss: float) -> None:
        if self.at and step == self.at:
            raise KeyboardInterrupt

    def message(self, text: str) -> None:
        pass


def task(bench: Bench) -> FastSpeechTask:
    """The task of the student's own training, with a model of the same first weights."""
    run = bench.folder / "kd"
    read = Manifest.read(run / "manifest")
    targets, forced = (StoredTargets(TargetStore.open(run / name)) for name in ("targets", "forced"))
    model = load_model(run / "model").train()
    torch.manual_seed(0)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    recordings = Recordings(bench.store("kd", "features"), forced, read.splits["valid"])
    ids = (read.splits["train"], read.splits["valid"])
    texts = Texts(run / "spoken", read.speaker_numbers())
    return FastSpeechTask(model, texts, targets, ids, 2000, LossSection(), recordings)


def test_a_killed_training_ends_like_one_that_was_not(bench: Bench, tmp_path: Path) -> None:
    options = TrainOptions.model_validate(
        {"max_steps": 6, "schedule": {"name": "cosine", "warmup_steps": 2}, "device": "cpu", "precision": "fp32",
         "checkpoint_every_steps": 2, "valid_every_steps": 3, "log_every_steps": 2, "threads": 1}
    )  # fmt: skip
    whole = fit(task(bench), options, tmp_path / "whole", Killed())
    with pytest.raises(KeyboardInterrupt):
        fit(task(bench), options, tmp_path / "killed", Killed(at=5))
    again = fit(task(bench), options, tmp_path / "killed", Killed())
    assert again.progress.history == whole.progress.history
    assert all(torch.equal(again.weights[name], value) for name, value in whole.weights.items())
    losses = [row["loss"] for row in whole.progress.history if row["kind"] == "train"]
    assert losses[-1] < losses[0]


def test_targets_of_another_teacher_are_refused(bench: Bench, tmp_path: Path) -> None:
    other = tmp_path / "model"
    other.mkdir()
    for name in ("model.json", "model.safetensors"):
        (other / name).write_bytes((bench.folder / "teacher/model" / name).read_bytes())
    (other / "model.json").write_text((other / "model.json").read_text() + "\n")
    store = bench.folder / "kd/targets"
    TargetStore.open(store, teacher=fingerprint(bench.folder / "teacher/model"))
    with pytest.raises(ArtifactError, match="another teacher"):
        TargetStore.open(store, teacher=fingerprint(other))
