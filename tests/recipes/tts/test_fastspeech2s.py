"""FastSpeech 2s: configurations, slices, and the trap of the waveform (M10: slices, padding, game, windows)."""

from __future__ import annotations

import itertools
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
import yaml

from recipes.tts.common.dataset import TtsDataset
from recipes.tts.common.recordings import Recordings
from recipes.tts.fastspeech2s import RECIPE
from recipes.tts.fastspeech2s.task import FastSpeech2sTask
from recipes.tts.fastspeech2s.train import build, start_trunk
from speechkd.audio.presets import mel_preset
from speechkd.config import ConfigErrors, load_config
from speechkd.errors import ConfigError, DataError
from speechkd.models.tts.load import save_model
from speechkd.training.loop import fit
from speechkd.training.opponent import AdversarialTask
from tests.recipes.tts.features import TINY_NETWORKS, write_features
from tests.training.test_loop import Killed, Recorder, assert_same_run, last_state

ROOT = Path(__file__).resolve().parents[3]
CORPORA = ("kathleen", "ljspeech", "mini")
PRESET = mel_preset("hifigan_22k")
HOP = PRESET.hop_samples
IDS = [f"u{number}" for number in range(4)]
SLICE = 10


class Bench:
    """Made-up features of four utterances with recordings of their length: a chirp per utterance."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.artifacts = folder, write_features(folder)
        frames = TtsDataset(*self.artifacts, self.cfg().model.trunk()).n_frames(IDS)
        self.n_frames = frames
        self.samples = {id_: chirp(number, frames[id_] * HOP) for number, id_ in enumerate(IDS)}
        for id_, samples in self.samples.items():
            soundfile.write(folder / f"{id_}.wav", samples, PRESET.sample_rate, subtype="FLOAT")

    def cfg(self, kind: str = "small", **changes: Any) -> Any:
        sections: dict[str, Any] = {
            "recipe": RECIPE.name, "run": {"dir": "run"}, "corpus": {"name": "own"}, "pack": {"name": "x"},
            "model": TINY_NETWORKS[kind] | {"waveform": {"channels": 8, "blocks": 4, "cycle": 4}},
            "slices": {"frames": SLICE},
            "adversarial": {"start_step": 3, "discriminator": {"channels": 4, "layers": 4}},
            "train": {
                "max_steps": 6, "batch_frames": 60, "schedule": {"name": "cosine", "warmup_steps": 1}, "device": "cpu",
                "precision": "fp32", "threads": 1, "valid_every_steps": 3, "checkpoint_every_steps": 2,
                "log_every_steps": 1, "ema_decay": 0.9, "best_by": "last",
            },
        }  # fmt: skip
        for name, values in changes.items():
            sections[name] = sections.get(name, {}) | values
        path = self.folder / "conf.yaml"
        path.write_text(yaml.safe_dump(sections), encoding="utf-8")
        return load_config(path, RECIPE.config)

    def task(self, cfg: Any = None, n_frames: dict[str, int] | None = None) -> FastSpeech2sTask:
        cfg = cfg or self.cfg()
        torch.manual_seed(0)
        data = TtsDataset(*self.artifacts, cfg.model.trunk())
        paths = {id_: self.folder / f"{id_}.wav" for id_ in IDS}
        recordings = Recordings(paths, n_frames or self.n_frames, PRESET, None)
        return FastSpeech2sTask(build(cfg, data, (), PRESET), data, (IDS[:3], IDS[3:]), recordings, cfg)


def chirp(number: int, n_samples: int) -> np.ndarray:
    time = np.arange(n_samples) / PRESET.sample_rate
    return (0.4 * np.sin(2 * np.pi * (150 + 50 * number + 300 * time) * time)).astype(np.float32)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(tmp_path_factory.mktemp("fastspeech2s"))


@pytest.mark.parametrize("corpus", CORPORA)
def test_every_shipped_configuration_loads(corpus: str) -> None:
    cfg: Any = load_config(ROOT / "egs" / corpus / "tts1/conf/fastspeech2s.yaml", RECIPE.config)
    assert cfg.recipe == RECIPE.name and cfg.results.conf == "fastspeech2s" and cfg.corpus.licence
    assert cfg.run.dir == ROOT / "exp" / corpus / "fastspeech2s"
    assert cfg.run.base == ROOT / "exp" / corpus / "fastspeech2"
    assert cfg.train.best_by == "last" and 1 < cfg.adversarial.start_step < cfg.train.max_steps


def test_the_papers_sizes_and_schedule(tmp_path: Path) -> None:
    """FastSpeech 2s (ICLR 2021), section 2.5 and appendix; Parallel WaveGAN for the losses."""
    path = tmp_path / "paper.yaml"
    conf = ROOT / "recipes/tts/fastspeech2s/conf/paper.yaml"
    path.write_text(f"base: {conf}\nrun: {{dir: run}}\ncorpus: {{name: mini}}\npack: {{name: x}}\n")
    cfg: Any = load_config(path, RECIPE.config)
    wave = cfg.model.waveform
    assert (wave.channels, wave.blocks, wave.cycle, wave.kernel) == (64, 30, 10, 3)
    assert cfg.slices.frames * HOP == 20_480 and cfg.slices.per_batch == 0
    assert (cfg.adversarial.weight, cfg.adversarial.start_step, cfg.train.max_steps) == (4.0, 100_000, 600_000)
    assert cfg.adversarial.discriminator.layers == 10
    assert [(r.fft, r.hop, r.window) for r in cfg.spectral.resolutions][1] == (2048, 240, 1200)
    assert cfg.model.trunk().encoder.layers == 4 and not hasattr(cfg.model.trunk(), "waveform")


def test_listing_the_recipe_imports_no_torch() -> None:
    code = "import sys, recipes.tts.fastspeech2s; print('torch' in sys.modules, 'librosa' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


def test_m10_slices_begin_at_frames_and_bring_their_own_samples(bench: Bench) -> None:
    """The start is drawn in frames and only then multiplied by the hop: the samples are those of the frames."""
    task = bench.task()
    seen = set()
    for epoch in range(4):
        task.epoch(1, epoch)
        batch = task.load(IDS)
        assert batch.samples.shape == (4, SLICE * HOP) and batch.places.n_frames == SLICE
        for row, start, samples in zip(batch.places.rows, batch.places.starts, batch.samples, strict=True):
            recorded = bench.samples[IDS[row]][int(start) * HOP : (int(start) + SLICE) * HOP]
            np.testing.assert_allclose(samples, recorded, atol=2e-5)  # 16 bits in memory
            seen.add(int(start))
    assert len(seen) > 3


def test_m10_slices_never_reach_into_padding(bench: Bench) -> None:
    """Over many draws every slice ends within its own utterance, and the last possible place is drawn, too."""
    task = bench.task()
    lasts = set()
    for epoch in range(200):
        task.epoch(1, epoch)
        batch = task.load(IDS)
        ends = batch.places.starts + SLICE
        lengths = batch.batch.mel_lengths[batch.places.rows]
        assert (ends <= lengths).all() and (batch.places.starts >= 0).all()
        lasts |= {IDS[row] for row, at_end in zip(batch.places.rows, ends == lengths, strict=True) if at_end}
    assert lasts == set(IDS)
    with pytest.raises(IndexError, match="u0 has"):
        task.recordings.slice("u0", bench.n_frames["u0"] - SLICE + 1, SLICE)


def test_m10_an_utterance_shorter_than_a_slice_is_learned_as_a_mel_only(bench: Bench) -> None:
    ordered = sorted(bench.n_frames.values())
    task = bench.task(bench.cfg(slices={"frames": ordered[1] + 1}))
    batch = task.load(IDS)
    assert {bench.n_frames[IDS[row]] for row in batch.places.rows} == set(ordered[2:])
    short = [id_ for id_ in IDS if bench.n_frames[id_] <= ordered[1]]
    terms = task.losses(task.model, task.load(short), step=5)
    assert set(terms) == {"mel", "duration", "pitch", "energy"}
    assert not task.opponent_losses(task.opponent, task.load(short), step=5)


def test_m10_a_stretch_of_an_utterance_is_learned_as_a_mel_only(bench: Bench) -> None:
    """A stretch begins somewhere inside the recording: its samples would not be those of its frames."""
    longer = {id_: n + 1 for id_, n in bench.n_frames.items()}  # as if every row were one frame short of the whole
    assert len(bench.task(n_frames=longer).load(IDS).samples) == 0


def test_m10_slices_must_be_longer_than_the_longest_window(bench: Bench) -> None:
    with pytest.raises(ConfigErrors, match=r"8 frames are 2048 samples.*longest transform.*2048"):
        bench.cfg(slices={"frames": 8})
    assert bench.cfg(slices={"frames": 9}).slices.frames == 9


def test_a_frame_is_an_even_number_of_steps(bench: Bench) -> None:
    with pytest.raises(ConfigErrors, match=r"samples_per_step.*256 samples is no even number of steps of 6"):
        bench.cfg(model={"waveform": {"samples_per_step": 6}})
    assert bench.cfg(model={"waveform": {"samples_per_step": 8}}).model.waveform.samples_per_step == 8


def test_all_mistakes_are_named_at_once(bench: Bench) -> None:
    """Also where one of them is of a type: the rest of the configuration is looked at all the same."""
    with pytest.raises(ConfigErrors) as caught:
        bench.cfg(slices={"frames": 4}, augment={"crop": "half"}, model={"waveform": {"blocks": 5, "cycle": 4}})
    text = str(caught.value)
    assert all(place in text for place in ("slices.frames", "augment.crop", "model.waveform.cycle")), text


def test_m10_the_discriminator_is_off_until_its_first_step(bench: Bench) -> None:
    task = bench.task()
    batch = task.load(IDS)
    for step in (0, 1, 2):
        assert "adversarial" not in task.losses(task.model, batch, step)
        assert not task.opponent_losses(task.opponent, batch, step)
    assert "adversarial" in task.losses(task.model, batch, 3)
    assert set(task.opponent_losses(task.opponent, batch, 3)) == {"discriminator"}
    off = bench.task(bench.cfg(adversarial={"weight": 0.0}))
    assert "adversarial" not in off.losses(off.model, batch, 3)
    assert not hasattr(off, "opponent") and not isinstance(off, AdversarialTask)


def test_m10_a_run_leaves_the_discriminator_alone_until_its_first_step(bench: Bench, tmp_path: Path) -> None:
    before = bench.task().opponent.state_dict()
    for steps, untouched in ((2, True), (3, False)):
        task = bench.task()
        fit(task, bench.cfg(train={"max_steps": steps}).train, tmp_path / str(steps), Recorder())
        same = [task.opponent.state_dict()[name].equal(value) for name, value in before.items()]
        assert all(same) if untouched else not any(same)


def test_the_loss_is_the_sum_of_the_papers_terms(bench: Bench) -> None:
    task = bench.task()
    task.model.eval()
    batch = task.load(IDS)
    terms = task.losses(task.model, batch, step=3)
    _, made = task.model(
        batch.batch.tokens, batch.batch.token_lengths, batch.batch.variances, batch.batch.speakers, batch.places
    )
    assert set(terms) == {"mel", "duration", "pitch", "energy", "spectral", "adversarial"}
    assert terms["spectral"].item() == pytest.approx(task.spectral(made, batch.samples).item(), rel=1e-5)
    with torch.inference_mode():
        fooled, told = (task.opponent(made) - 1).square().mean(), task.opponent(made).square().mean()
        told = told + (task.opponent(batch.samples) - 1).square().mean()
        found = task.opponent_losses(task.opponent, batch, step=3)["discriminator"]
    assert terms["adversarial"].item() == pytest.approx(4.0 * fooled.item(), rel=1e-5)
    assert found.item() == pytest.approx(told.item(), rel=1e-5)


def test_what_the_opponent_learns_from_is_detached(bench: Bench) -> None:
    task = bench.task()
    batch = task.load(IDS)
    task.losses(task.model, batch, step=3)
    task.opponent_losses(task.opponent, batch, step=3)["discriminator"].backward()
    assert all(parameter.grad is None for parameter in task.model.parameters())
    assert all(parameter.grad is not None for parameter in task.opponent.parameters())


def test_slices_per_batch_are_of_different_utterances(bench: Bench) -> None:
    task = bench.task(bench.cfg(slices={"per_batch": 2}))
    drawn = []
    for epoch in range(10):
        task.epoch(1, epoch)
        drawn.append(tuple(task.load(IDS).places.rows.tolist()))
    assert all(len(set(rows)) == 2 for rows in drawn) and len(set(drawn)) > 2


def test_the_same_place_in_a_run_draws_the_same_slices(bench: Bench) -> None:
    first, second = bench.task(), bench.task()
    first.epoch(1, 0), first.load(IDS), first.epoch(1, 3), second.epoch(1, 3)
    assert first.load(IDS).places.starts.equal(second.load(IDS).places.starts)


def test_a_killed_run_ends_like_one_that_was_not(bench: Bench, tmp_path: Path) -> None:
    """Killed before the game begins and in it."""
    options = bench.cfg().train
    whole = fit(bench.task(), options, tmp_path / "whole", Recorder())
    for step in (2, 5):
        with pytest.raises(Killed):
            fit(bench.task(), options, tmp_path / "killed", Recorder(die_at=step))
    assert_same_run(fit(bench.task(), options, tmp_path / "killed", Recorder()), whole, tmp_path)
    assert last_state(tmp_path / "killed") == last_state(tmp_path / "whole")
    names = itertools.chain(*(row for row in whole.progress.history))
    assert {"spectral", "adversarial", "discriminator", "opponent_grad_norm"} <= set(names)


def test_the_spectral_loss_of_one_clip_falls(bench: Bench) -> None:
    """Sixty steps on the slices of one utterance."""
    task = bench.task(bench.cfg(model={"waveform": {"channels": 16, "blocks": 6, "cycle": 6}}))
    optimizer = torch.optim.Adam(task.model.parameters(), lr=5e-3)
    found = []
    for step in range(60):
        task.epoch(1, step)
        terms = task.losses(task.model, task.load(["u1"]), step=0)
        sum(terms.values()).backward()  # type: ignore[union-attr]
        optimizer.step()
        optimizer.zero_grad()
        found.append(terms["spectral"].item())
    assert np.mean(found[-5:]) < 0.6 * np.mean(found[:5])


def test_validation_measures_without_the_game(bench: Bench) -> None:
    task = bench.task()
    figures = task.validate(task.model.eval(), torch.device("cpu"))
    assert set(figures) == {"mel", "duration", "pitch", "energy", "spectral", "loss"}
    assert figures["loss"] == pytest.approx(sum(value for name, value in figures.items() if name != "loss"))
    assert dict(figures) == dict(task.validate(task.model, torch.device("cpu")))


def test_a_recording_of_another_length_than_its_features_is_said(bench: Bench) -> None:
    longer = {id_: n + 1 for id_, n in bench.n_frames.items()}
    with pytest.raises(DataError, match="not what the features are of"):
        bench.task(n_frames=longer).recordings.slice("u0", 0, SLICE)


def test_the_trunk_starts_from_a_trained_fastspeech2(bench: Bench, tmp_path: Path) -> None:
    source, other = bench.task().model.trunk, bench.task().model  # type: ignore[union-attr]
    with torch.no_grad():
        for parameter in source.parameters():
            parameter.add_(1.0)
    save_model(tmp_path, source)
    start_trunk(other.trunk, tmp_path)
    for name, value in source.state_dict().items():
        assert other.trunk.state_dict()[name].equal(value), name


def frozen(bench: Bench, tmp_path: Path, **changes: Any) -> FastSpeech2sTask:
    save_model(tmp_path, bench.task().model.trunk)
    task = bench.task(bench.cfg(init={"trunk": str(tmp_path), "freeze": True}, **changes))
    start_trunk(task.model.trunk, tmp_path)
    task.model.freeze_trunk()
    return task


def test_a_frozen_trunk_ends_as_it_began_and_the_decoder_does_not(bench: Bench, tmp_path: Path) -> None:
    task = frozen(bench, tmp_path)
    before = {name: value.clone() for name, value in task.model.state_dict().items()}
    trained = fit(task, bench.cfg().train, tmp_path / "work", Recorder())
    for name, value in trained.weights.items():
        assert value.equal(before[name]) == name.startswith("trunk."), name
    told = {name for row in trained.progress.history for name in row}
    assert "spectral" in told and not {"mel", "duration", "pitch", "energy"} & told


def test_with_a_frozen_trunk_a_batch_without_slices_teaches_nothing(bench: Bench, tmp_path: Path) -> None:
    task = frozen(bench, tmp_path, slices={"frames": sorted(bench.n_frames.values())[1] + 1})
    batch = task.load([min(bench.n_frames, key=lambda id_: bench.n_frames[id_])])
    terms = task.losses(task.model, batch, step=5)
    terms["spectral"].backward()
    assert set(terms) == {"spectral"} and terms["spectral"].item() == 0.0
    assert not any(p.grad is not None and p.grad.any() for p in task.model.parameters())


def test_a_trunk_that_never_learned_cannot_be_frozen(bench: Bench) -> None:
    with pytest.raises(ConfigErrors, match="the trunk would never learn anything"):
        bench.cfg(init={"freeze": True})
    harmonic = {"waveform": {"channels": 8, "blocks": 4, "cycle": 4, "excitation": "harmonic"}}
    with pytest.raises(ConfigErrors, match="follows the F0 of frames, and pitch.level is phoneme"):
        bench.cfg(model=harmonic)


def test_a_trunk_that_is_not_there_is_said(bench: Bench, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no finished FastSpeech 2 to start from.*Train it first"):
        start_trunk(bench.task().model.trunk, tmp_path)  # type: ignore[union-attr]


def test_a_trunk_of_another_network_or_kind_is_refused_by_name(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "small").mkdir()
    (tmp_path / "sliced").mkdir()
    save_model(tmp_path / "small", bench.task().model.trunk)
    save_model(tmp_path / "sliced", bench.task().model)
    fewer: Any = bench.task(bench.cfg(model={"energy": {"level": "phoneme", "bins": 8}})).model
    with pytest.raises(ConfigError, match=r"model\.energy\.bins is 16 there and 8 here, and 1 more"):
        start_trunk(fewer.trunk, tmp_path / "small")
    # The same shapes, another meaning: the network is compared, not only its weights.
    frames: Any = bench.task(bench.cfg("frames")).model
    with pytest.raises(ConfigError, match=r"model\.energy\.level is phoneme there and frame here, and 1 more"):
        start_trunk(frames.trunk, tmp_path / "small")
    with pytest.raises(ConfigError, match="fastspeech2s model"):
        start_trunk(frames.trunk, tmp_path / "sliced")


def test_a_trunk_with_other_symbols_is_refused(bench: Bench, tmp_path: Path) -> None:
    given: Any = bench.task().model
    config = given.trunk.config
    save_model(tmp_path, type(given.trunk)(config.model_copy(update={"n_symbols": config.n_symbols + 1})))
    with pytest.raises(ConfigError, match=r"embedding\.weight is \d+×32 there and \d+×32 here"):
        start_trunk(given.trunk, tmp_path)


def test_dropout_may_be_another(bench: Bench, tmp_path: Path) -> None:
    given: Any = bench.task().model
    save_model(tmp_path, given.trunk)
    other: Any = bench.task(bench.cfg(model={"predictor": {"layers": 2, "channels": 16, "kernel": 3, "dropout": 0.4}}))
    start_trunk(other.model.trunk, tmp_path)
    assert other.model.trunk.config != given.trunk.config
    assert torch.equal(other.model.trunk.embedding.weight, given.trunk.embedding.weight)
