"""The inverse-STFT vocoder's recipe: its plan, what the teacher is asked, and what its weights mean."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
import yaml

from recipes.tts.common.recordings import Recordings
from recipes.vocoder.common.dataset import SliceDataset
from recipes.vocoder.istft import PLAN, RECIPE
from recipes.vocoder.istft.augment import augmented
from recipes.vocoder.istft.config import AugmentSection
from recipes.vocoder.istft.dataset import CopiesOfClips, PitchedDataset, Questions, TaughtDataset, answer_id
from recipes.vocoder.istft.pitch import continuous, pitch_of
from recipes.vocoder.istft.plan import SPECS
from recipes.vocoder.istft.task import IstftTask
from recipes.vocoder.istft.teacher import StoredAnswers, live_teacher, open_speaker, said, who_speaks
from recipes.vocoder.istft.train import make_judges
from speechkd.audio.mel import mel_spectrogram
from speechkd.audio.presets import mel_preset
from speechkd.config import ConfigErrors, load_config
from speechkd.distill.store import TargetStore, target_arrays, write_description
from speechkd.models.vocoder.excitation import NOISE_FRAMES
from speechkd.models.vocoder.files import shape_of
from speechkd.models.vocoder.istft import Filters, IstftVocoderNetwork, excitation_of
from speechkd.models.vocoder.istft_config import IstftConfig
from speechkd.models.vocoder.istft_store import save_istft
from speechkd.runner import ItemStore, ItemWriter
from speechkd.training.loop import fit
from tests.training.test_loop import Killed, Recorder, assert_same_run, last_state

ROOT = Path(__file__).resolve().parents[3]
PRESET = mel_preset("hifigan_22k")
HOP = PRESET.hop_samples
IDS = [f"u{number}" for number in range(4)]
N_FRAMES = {"u0": 9, "u1": 34, "u2": 40, "u3": 36}
F = 8
MODEL = {"channels": 8, "expanded": 12, "kernel": 3, "input_kernel": 3, "input_lookahead": 1, "lookahead": [1, 0]}
JUDGES = {
    "period": {"periods": [2], "channels": [4, 4]}, "scale": None,
    "spectral": {"channels": 2, "ffts": [256], "strides": [2, 1]},
}  # fmt: skip


class Bench:
    """Four chirps, their mels, and a teacher: a network like the student's with weights that make noise."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.teacher = folder, folder / "teacher"
        with ItemWriter(folder / "mels") as writer, ItemWriter(folder / "pitch") as pitch:
            for number, id_ in enumerate(IDS):
                samples = chirp(number, N_FRAMES[id_] * HOP)
                pitch.add(id_, {"f0_hz": pitch_of(samples, PRESET)})
                soundfile.write(folder / f"{id_}.wav", samples, PRESET.sample_rate, subtype="FLOAT")
                mel = mel_spectrogram(torch.from_numpy(samples)[None], PRESET)[0].numpy()
                writer.add(id_, {"mel": mel}, {"n_frames": len(mel)})
        with ItemWriter(folder / "predicted") as writer:
            writer.add("u2", {"mel": ItemStore(folder / "mels").array("u2", "mel") + 0.5}, {"n_frames": 40})
        torch.manual_seed(5)
        teacher = IstftVocoderNetwork(IstftConfig.model_validate(MODEL))
        for parameter in teacher.parameters():
            parameter.data += 0.1 * torch.randn_like(parameter)
        self.teacher.mkdir()
        save_istft(self.teacher, teacher, shape_of(PRESET))

    def cfg(self, **changes: Any) -> Any:
        sections: dict[str, Any] = {
            "recipe": RECIPE.name, "run": {"dir": "run"}, "corpora": [{"name": "own"}], "model": MODEL,
            "slices": {"frames": F, "valid_frames": F},
            "losses": {"stft": 1, "resolutions": [{"fft": 512, "hop": 128, "window": 512}]},
            "teacher": {"path": str(self.teacher), "level_db": -6, "context_frames": 4},
            "distill": {"mel": 10, "stft": 1, "pitch": 0.5},
            "augment": {"share": 0.5, "copies": 2},
            "adversarial": {"start_step": 3, "discriminators": JUDGES},
            "train": {
                "max_steps": 6, "batch_frames": 2 * F, "schedule": {"name": "cosine", "warmup_steps": 1},
                "device": "cpu", "precision": "fp32", "threads": 1, "valid_every_steps": 3,
                "checkpoint_every_steps": 2, "log_every_steps": 1, "ema_decay": 0.9, "best_by": "last",
            },
        }  # fmt: skip
        for name, values in changes.items():
            sections[name] = sections.get(name, {}) | values
        path = self.folder / "conf.yaml"
        path.write_text(yaml.safe_dump(sections), encoding="utf-8")
        return load_config(path, RECIPE.config)

    def dataset(self, predicted: bool = False) -> PitchedDataset:
        paths = {id_: self.folder / f"{id_}.wav" for id_ in IDS}
        recordings = Recordings(paths, N_FRAMES, PRESET, None)
        store = ItemStore(self.folder / "predicted") if predicted else None
        plain = SliceDataset(ItemStore(self.folder / "mels"), recordings, store)
        return PitchedDataset(plain, ItemStore(self.folder / "pitch"))

    def stored(self, cfg: Any, dataset: SliceDataset) -> StoredAnswers:
        """What the stage targets writes."""
        made_by = who_speaks(self.teacher, cfg.teacher.level_db)
        specs = [spec.by(made_by) for spec in SPECS]
        copies, speaker = CopiesOfClips(dataset, cfg.augment), open_speaker(self.teacher, -6.0, cfg.audio.mel)
        folder = self.folder / "targets"
        with ItemWriter(folder) as writer:
            for id_ in IDS:
                for variant in ("0", "1"):
                    mel = torch.from_numpy(copies.mel(id_, variant))[None]
                    with torch.inference_mode():
                        writer.add(answer_id(id_, variant), target_arrays(said(speaker, mel, PRESET), specs))
        write_description(folder, specs, "m", made_by)
        return StoredAnswers(TargetStore.open(folder, manifest_digest="m", teacher=made_by))

    def task(self, cfg: Any, teacher: Any = None) -> IstftTask:
        torch.manual_seed(0)
        model, judges = IstftVocoderNetwork(cfg.model), make_judges(cfg.adversarial.discriminators)
        return IstftTask(model, judges, self.dataset(), (IDS[:3], IDS[3:]), cfg, teacher)


def chirp(number: int, n_samples: int) -> np.ndarray:
    time = np.arange(n_samples) / PRESET.sample_rate
    return (0.4 * np.sin(2 * np.pi * (150 + 50 * number + 300 * time) * time)).astype(np.float32)


@pytest.fixture(name="bench", scope="module")
def _bench(tmp_path_factory):
    return Bench(tmp_path_factory.mktemp("istft"))


def whole_copy(dataset: SliceDataset, id_: str, how: AugmentSection) -> Questions:
    """A live teacher's question about a whole changed copy."""
    mel = torch.from_numpy(CopiesOfClips(dataset, how).mel(id_, "0"))[None]
    return Questions([answer_id(id_, "0")], [0], mel.shape[1], mel, [0])


class TestPlan:
    def test_says_who_feeds_which_term(self, bench):
        feeds = {feed.term: feed for feed in PLAN(bench.cfg()).feeds()}
        assert list(feeds) == [
            "mel", "stft", "pitch", "adversarial", "matching", "teacher_mel", "teacher_stft", "teacher_pitch"
        ]  # fmt: skip
        taught = "samples (frame, feature) float16, f0_hz (frame) float32"
        assert feeds["teacher_mel"].teacher == feeds["teacher_stft"].teacher == taught
        assert feeds["teacher_pitch"].teacher == "f0_hz (frame) float32"
        assert {feeds[name].teacher for name in ("mel", "stft", "pitch", "adversarial")} == {"nothing"}
        assert feeds["mel"].weight == "45"

    def test_needs_no_torch(self):
        code = "import sys, recipes.vocoder.istft as m; m.PLAN; assert 'torch' not in sys.modules, 'torch'"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT)
        assert done.returncode == 0, done.stderr

    def test_terms_ask_for_a_teacher(self, bench):
        with pytest.raises(ConfigErrors, match=r"distill.mel, distill.stft, distill.pitch ask for a teacher"):
            bench.cfg(teacher={"path": None})

    def test_a_teacher_of_another_mel(self, bench, tmp_path):
        shape = shape_of(PRESET).model_copy(update={"fmax_hz": 11025.0})
        save_istft(tmp_path, IstftVocoderNetwork(IstftConfig.model_validate(MODEL)), shape)
        with pytest.raises(ConfigErrors, match=r"teacher.path.*mel preset"):
            bench.cfg(teacher={"path": str(tmp_path)})

    def test_a_network_of_another_hop(self, bench):
        with pytest.raises(ConfigErrors, match=r"model.hop_samples.*is 128, hifigan_22k has 256"):
            bench.cfg(model={"hop_samples": 128})

    def test_somebody_must_teach_the_pitch(self, bench):
        with pytest.raises(ConfigErrors, match=r"losses.pitch.*nobody teaches"):
            bench.cfg(losses={"pitch": 0}, distill={"pitch": 0})

    @pytest.mark.parametrize("name", ["istft", "istft_no_teacher"])
    def test_shipped_configurations(self, bench, name):
        conf = ROOT / f"egs/kathleen/vocoder1/conf/{name}.yaml"
        path = bench.folder / f"{name}.yaml"
        teacher = f"teacher: {{path: {bench.teacher}}}\n" if name == "istft" else ""
        path.write_text(f"base: {conf}\n{teacher}", encoding="utf-8")
        cfg = load_config(path, RECIPE.config)
        assert [corpus.name for corpus in cfg.corpora] == ["kathleen", "ljspeech"]
        assert any(term.weight for term in PLAN(cfg).terms if term.targets) == (name == "istft")


class TestAugmented:
    HOW = AugmentSection(share=1.0)
    MEL = np.random.default_rng(0).normal(-5, 2, (40, 80)).clip(-10).astype(np.float32)

    def test_is_a_pure_function(self):
        first, second = (augmented(self.MEL, "u0", "1", self.HOW, -11.5) for _ in range(2))
        other = augmented(self.MEL, "u0", "2", self.HOW, -11.5)
        assert first.tobytes() == second.tobytes()
        assert other.shape != first.shape or not np.allclose(other, first)

    def test_nothing_to_change_changes_nothing(self):
        how = AugmentSection(gain_db=0, tilt_db=0, stretch=0, shift_bands=0)
        np.testing.assert_allclose(augmented(self.MEL, "u0", "1", how, -11.5), self.MEL, atol=1e-5)

    def test_a_gain_moves_all_but_silence(self):
        how = AugmentSection(gain_db=6, tilt_db=0, stretch=0, shift_bands=0)
        silent = self.MEL.copy()
        silent[:5] = -11.5
        moved = augmented(silent, "u0", "1", how, -11.5)
        assert np.all(moved[:5] == np.float32(-11.5))
        steps = (moved - silent)[5:]
        assert np.ptp(steps) < 1e-4
        assert 0 < abs(float(steps[0, 0])) <= 6 / 20 * np.log(10) + 1e-4

    def test_stretch_keeps_ends_and_bounds(self):
        how = AugmentSection(gain_db=0, tilt_db=0, stretch=0.3, shift_bands=0)
        lengths = set()
        for variant in "abcdefgh":
            found = augmented(self.MEL, "u0", variant, how, -20.0)
            np.testing.assert_allclose(found[[0, -1]], self.MEL[[0, -1]], atol=1e-4)
            lengths.add(len(found))
        assert min(lengths) >= 28 and max(lengths) <= 52 and len(lengths) > 3


class TestPitch:
    def test_is_that_of_the_chirp(self, bench):
        f0_hz = pitch_of(chirp(2, N_FRAMES["u2"] * HOP), PRESET)
        expected = 250 + 600 * (np.arange(40) + 0.5) * HOP / PRESET.sample_rate
        voiced = f0_hz > 0
        assert voiced.sum() > 20
        np.testing.assert_allclose(f0_hz[voiced][3:-3], expected[voiced][3:-3], rtol=0.03)

    def test_gaps_are_straight_lines(self):
        found = continuous(np.array([0, 100, 0, 0, 130, 0], np.float32))
        np.testing.assert_allclose(found, [100, 100, 110, 120, 130, 130])
        assert continuous(np.zeros(3, np.float32)).min() > 0

    def test_slices_have_the_pitch_of_their_frames(self, bench):
        batch = bench.dataset().random(["u0", "u3"], 12, 1, 2)
        for row, (id_, start) in enumerate((("u0", 0), ("u3", bench.dataset().place("u3", 12, 1, 2)[0]))):
            expected = pitch_of(chirp(IDS.index(id_), N_FRAMES[id_] * HOP), PRESET)[start : start + 12]
            assert np.array_equal(batch.f0_hz[row, : len(expected)].numpy(), expected)
        assert not batch.f0_hz[0, 9:].any()  # the clip has nine frames


class TestQuestions:
    def test_recorded_slices_are_those_without_a_teacher(self, bench):
        cfg, plain = bench.cfg(), bench.dataset()
        batch, expected = (
            TaughtDataset(plain, IDS, cfg.augment, None).random(IDS[:2], F, 1, 2),
            plain.random(IDS[:2], F, 1, 2),
        )
        for name in ("mel", "samples", "f0_hz"):
            assert torch.equal(getattr(batch, name), getattr(expected, name))

    def test_changed_slices_are_of_changed_copies(self, bench):
        how, plain = AugmentSection(share=2.0, copies=3), bench.dataset()
        batch = TaughtDataset(plain, IDS[:3], how, None).random(IDS[:2], F, 1, 2)
        assert batch.extra.shape == (4, F, 80) and len(batch.questions.ids) == 4
        copies = CopiesOfClips(plain, how)
        for row, key in enumerate(batch.questions.ids):
            clip, variant = key.split("@")
            start = batch.questions.starts[row]
            assert clip in IDS[:3] and variant in "012"
            part = copies.mel(clip, variant)[start : start + F]
            assert np.array_equal(batch.extra[row, : len(part)].numpy(), part)

    def test_there_is_always_a_question(self, bench):
        batch = TaughtDataset(bench.dataset(), IDS, AugmentSection(share=0.01), None).random(IDS, F, 1, 2)
        assert len(batch.extra) == len(batch.questions.ids) == 1

    def test_a_live_teacher_hears_the_surroundings(self, bench):
        plain = bench.dataset()
        batch = TaughtDataset(plain, IDS, AugmentSection(share=1.0), 4).random(IDS, F, 1, 2)
        heard, offsets = batch.questions.heard, batch.questions.offsets
        assert heard.shape == (4, F + 8, 80)
        slices = [heard[row, at : at + F] for row, at in enumerate(offsets)]
        assert torch.equal(torch.stack(slices), batch.extra)
        assert all("." in key for key in batch.questions.ids)

    def test_epochs_bring_new_ones(self, bench):
        dataset = TaughtDataset(bench.dataset(), IDS, AugmentSection(share=1.0), 4)
        first, again, later = (dataset.random(IDS, F, 1, epoch) for epoch in (0, 0, 1))
        assert first.questions.ids == again.questions.ids and torch.equal(first.extra, again.extra)
        assert not set(first.questions.ids) & set(later.questions.ids)


class TestTeacher:
    def test_stored_answers_are_live_ones_to_the_last_bit(self, bench):
        cfg, dataset = bench.cfg(), bench.dataset()
        stored, live = bench.stored(cfg, dataset), live_teacher(cfg)
        assert stored.fingerprint == live.fingerprint
        for id_ in IDS:
            question = whole_copy(dataset, id_, cfg.augment)
            found, expected = stored.targets(question), live.targets(question)
            assert set(found) == set(expected) == {"samples", "f0_hz"}
            assert all(torch.equal(found[name], expected[name]) for name in found)
            assert float(found["samples"].abs().max()) > 0.01

    def test_the_pitch_is_that_of_what_it_says(self, bench):
        speaker = open_speaker(bench.teacher, -6.0, PRESET.name)
        mel = torch.from_numpy(bench.dataset().mel("u1"))[None]
        with torch.inference_mode():
            answer = said(speaker, mel, PRESET)
        samples = answer["samples"].flatten().float().numpy()
        assert np.array_equal(answer["f0_hz"][0].numpy(), pitch_of(samples, PRESET))

    def test_level(self, bench):
        mel = torch.randn(1, 12, 80)
        loud, plain = (open_speaker(bench.teacher, level_db, PRESET.name) for level_db in (20.0, 0.0))
        with torch.inference_mode():
            torch.testing.assert_close(
                loud(mel).float(), plain.generator((mel + np.log(10)).transpose(1, 2)).unflatten(1, (12, -1)) / 10,
                atol=1e-3, rtol=1e-2,
            )  # fmt: skip

    def test_says_nothing_after_the_end(self, bench):
        cfg, dataset = bench.cfg(), bench.dataset()
        stored = bench.stored(cfg, dataset)
        left = len(stored.store.arrays(answer_id("u0", "0"))["f0_hz"]) - 4
        question = Questions([answer_id("u0", "0")], [4], F, torch.zeros(1, 0, 80), [0])
        answer = stored.targets(question)
        assert answer["samples"].shape == (1, F, HOP) and answer["f0_hz"].shape == (1, F)
        assert not answer["samples"][0, left:].any() and answer["samples"][0, :left].any()

    def test_another_level_is_another_teacher(self, bench):
        assert who_speaks(bench.teacher, 0.0) != who_speaks(bench.teacher, -6.0)


class TestTask:
    def terms(self, task: IstftTask, step: int) -> dict[str, torch.Tensor]:
        task.epoch(1, 0)
        batch = task.load(IDS[1:3])
        return dict(task.losses(task.model, batch, step))

    def test_terms_of_the_teacher(self, bench):
        cfg = bench.cfg()
        task = bench.task(cfg, bench.stored(cfg, bench.dataset()))
        assert list(self.terms(task, 1)) == ["mel", "stft", "pitch", "teacher_mel", "teacher_stft", "teacher_pitch"]
        assert {"adversarial", "matching"} <= set(self.terms(task, 3))

    def test_a_weight_changes_with_the_step(self, bench):
        cfg = bench.cfg(distill={"stft": {"name": "during", "last_step": 2}})
        task = bench.task(cfg, bench.stored(cfg, bench.dataset()))
        assert "teacher_stft" in self.terms(task, 2) and "teacher_stft" not in self.terms(task, 3)

    def test_filters_are_learned_at_the_pitch_of_what_is_copied(self, bench):
        """The terms of the recordings, by hand; what the network thinks of the pitch does not matter to them."""
        cfg = bench.cfg()
        task = bench.task(cfg)
        task.epoch(1, 0)
        batch = task.load(IDS[1:3])
        terms = task.losses(task.model, batch, 1)
        made = task.model.filters(batch.mel.transpose(1, 2))
        firsts = np.random.default_rng(1).integers(NOISE_FRAMES, size=2)
        pulses_hz = np.stack([continuous(row) for row in batch.f0_hz.numpy()])
        samples = task.model.excited(made, excitation_of(pulses_hz, task.model.config, firsts))
        torch.testing.assert_close(terms["mel"], 45 * task.mel_loss(samples, batch.samples))
        task.model.pitch_head.bias.data.uniform_(-5, 5)
        again = task.losses(task.model, batch, 1)
        assert torch.equal(again["mel"], terms["mel"]) and not torch.equal(again["pitch"], terms["pitch"])

    def test_what_the_teacher_says_is_copied_at_its_pitch(self, bench):
        cfg = bench.cfg()
        teacher = bench.stored(cfg, bench.dataset())
        task = bench.task(cfg, teacher)
        task.epoch(1, 0)
        batch = task.load(IDS[1:3])
        terms, answer = task.losses(task.model, batch, 1), teacher.targets(batch.questions)
        made = task.model.filters(torch.cat([batch.mel, batch.extra]).transpose(1, 2))
        taught = Filters(*(part[2:] for part in made))
        pulses_hz = np.stack([continuous(row) for row in answer["f0_hz"].numpy()])
        firsts = np.random.default_rng(1).integers(NOISE_FRAMES, size=len(pulses_hz))
        samples = task.model.excited(taught, excitation_of(pulses_hz, task.model.config, firsts))
        expected = task.mel_loss(samples, answer["samples"].flatten(1).float())
        torch.testing.assert_close(terms["teacher_mel"], 10 * expected)

    def test_no_gradient_reaches_the_teacher(self, bench):
        cfg = bench.cfg(teacher={"source": "live"})
        teacher = live_teacher(cfg)
        task = bench.task(cfg, teacher)
        sum(self.terms(task, 1).values()).backward()
        assert all(p.grad is None and not p.requires_grad for p in teacher.model.parameters())
        assert all(p.grad is not None for p in task.model.parameters())
        assert not teacher.model.training

    def test_weight_zero_is_no_teacher(self, bench):
        """The terms are those without a teacher."""
        cfg = bench.cfg(distill=dict.fromkeys(("mel", "stft", "pitch"), 0.0))
        teacher = bench.stored(cfg, bench.dataset())
        silent, none = (self.terms(bench.task(cfg, each), 1) for each in (teacher, None))
        assert list(silent) == list(none) == ["mel", "stft", "pitch"]
        for name, value in none.items():
            torch.testing.assert_close(silent[name], value)

    def test_validation_hears_recordings_alone(self, bench):
        cfg = bench.cfg()
        task = bench.task(cfg, bench.stored(cfg, bench.dataset()))
        assert set(task.validate(task.model, torch.device("cpu"))) == {"mel", "stft", "pitch", "loss", "mel_l1"}

    def test_a_killed_run_goes_on_as_if_it_had_not_been(self, bench, tmp_path):
        cfg = bench.cfg()
        teacher = bench.stored(cfg, bench.dataset())
        (tmp_path / "whole").mkdir()
        (tmp_path / "killed").mkdir()
        whole = fit(bench.task(cfg, teacher), cfg.train, tmp_path / "whole", Recorder())
        with pytest.raises(Killed):
            fit(bench.task(cfg, teacher), cfg.train, tmp_path / "killed", Recorder(die_at=5))
        resumed = fit(bench.task(cfg, teacher), cfg.train, tmp_path / "killed", Recorder())
        assert_same_run(resumed, whole, tmp_path)
        assert last_state(tmp_path / "whole") == last_state(tmp_path / "killed")
