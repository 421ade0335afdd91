"""ProDiff's teacher: configurations, stretches, levels, noise, losses; traps D4 to D8, D12, D14, D16 to D18."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from recipes.tts.common.dataset import Batch
from recipes.tts.prodiff import PLAN, RECIPE
from recipes.tts.prodiff.config import ProDiffRecipe
from recipes.tts.prodiff.distil import WANTED
from recipes.tts.prodiff.noised import Noised
from recipes.tts.prodiff.task import ProDiffTask
from recipes.tts.prodiff.train import chain_of
from speechkd.cli.recipes import load
from speechkd.config import ConfigErrors, load_config
from speechkd.models.common.diffusion import vp_schedule
from speechkd.models.tts.prodiff import ProDiff
from speechkd.training.loop import fit
from tests.models.vocoder.tiny import write_generator
from tests.recipes.tts.prodiff_bench import IDS, Bench
from tests.training.test_loop import Killed, Recorder, assert_same_run, last_state

ROOT = Path(__file__).resolve().parents[3]
CORPORA = ("kathleen", "ljspeech", "mini")


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(tmp_path_factory.mktemp("prodiff"))


def shipped(corpus: str, name: str) -> Any:
    return load_config(ROOT / "egs" / corpus / "tts1/conf" / f"{name}.yaml", RECIPE.config)


def own_config(folder: Path, *overrides: str, base: str = "small", more: str = "") -> Any:
    (folder / "conf.yaml").write_text(
        f"base: {ROOT}/recipes/tts/prodiff/conf/{base}.yaml\n"
        f"run: {{dir: run}}\ncorpus: {{name: mini}}\npack: {{name: x}}\n{more}"
    )
    return load_config(folder / "conf.yaml", RECIPE.config, overrides)


@pytest.mark.parametrize("corpus", CORPORA)
def test_a_student_halves_the_steps_of_the_run_beside_it(corpus: str) -> None:
    teacher, student = shipped(corpus, "prodiff_teacher"), shipped(corpus, "prodiff")
    assert teacher.teacher is None and (teacher.diffusion.steps, student.diffusion.steps) == (4, 2)
    assert student.teacher.model == teacher.run.dir / "model" and student.run.base == teacher.run.dir
    assert student.model == teacher.model and student.teacher.rounds == 1
    assert student.train.max_steps < teacher.train.max_steps


@pytest.mark.parametrize(
    ("corpus", "name", "beside", "section"),
    [("kathleen", "prodiff_direct", "prodiff_teacher", "steps"),
     ("kathleen", "prodiff_gradient", "prodiff_teacher", "parameterisation"),
     *((corpus, f"{folder}prodiff_{form}128", f"{folder}prodiff_{beside}", section)
       for corpus, folder in (("kathleen", "tiny/"), ("mini", ""))
       for form, beside, section in (("generator", "teacher", "steps"),
                                     ("gradient", "generator128", "parameterisation")))],
)  # fmt: skip
def test_ablations_differ_in_what_they_are_about_alone(corpus: str, name: str, beside: str, section: str) -> None:
    first, other = (shipped(corpus, each).model_dump() for each in (beside, name))
    differing = {key for key in first if first[key] != other[key]} - {"run", "pack", "results"}
    assert differing == {"diffusion"} | ({"train"} if section == "parameterisation" else set())
    assert [key for key, value in first["diffusion"].items() if value != other["diffusion"][key]] == [section]
    assert first["train"] | {"best_by": ""} == other["train"] | {"best_by": ""}


@pytest.mark.parametrize(("corpus", "folder"), [("kathleen", "tiny/"), ("mini", "")])
def test_what_is_not_distilled_learns_as_long_as_teacher_and_student_together(corpus: str, folder: str) -> None:
    names = ("prodiff_teacher", "prodiff", "prodiff_direct")
    teacher, student, direct = (shipped(corpus, folder + each) for each in names)
    assert direct.train.max_steps == teacher.train.max_steps + student.train.max_steps
    assert (direct.diffusion.steps, direct.teacher, direct.model) == (2, None, teacher.model)


TINY = ("kathleen/tiny/prodiff", "ljspeech/tiny/prodiff", "joined/tiny/prodiff")
GPU = ("kathleen/prodiff_gpu", "ljspeech/prodiff_gpu")


@pytest.mark.parametrize("place", [*TINY, *GPU])
def test_tiny_and_gpu_students_have_their_teachers(place: str) -> None:
    corpus, _, name = place.partition("/")
    student = shipped(corpus, name)
    teacher = shipped(corpus, name.replace("prodiff", "prodiff_teacher"))
    assert student.teacher.model == teacher.run.dir / "model" and student.run.base == teacher.run.dir
    assert (student.model, student.audio, student.split) == (teacher.model, teacher.audio, teacher.split)
    assert (teacher.diffusion.steps, student.diffusion.steps) == (4, 2)
    assert (student.train.device == "cuda") == (place in GPU)


def test_tiny_systems_are_of_one_size() -> None:
    """That of the tiny FastSpeech 2, whose decoder is a denoiser of 8 layers of 96 channels."""
    tiny = [shipped(*place.split("/", 1)).model for place in TINY]
    _, beside = load(ROOT / "egs/kathleen/tts1/conf/tiny/fastspeech2.yaml", [])
    other = beside.model  # type: ignore[attr-defined]
    assert tiny[0] == tiny[1] == tiny[2]
    for part in ("hidden", "encoder", "predictor", "pitch", "energy"):
        assert getattr(tiny[0], part) == getattr(other, part), part
    assert (tiny[0].denoiser.layers, tiny[0].denoiser.channels) == (8, 96)


def test_gpu_presets_have_the_published_denoiser() -> None:
    for corpus in ("kathleen", "ljspeech"):
        model = shipped(corpus, "prodiff_teacher_gpu").model
        assert (model.hidden, model.denoiser.layers, model.denoiser.channels) == (256, 20, 256)
        assert set(model.denoiser.dilations) == {1} and model.encoder.conv_kernel == 9


def test_d14_the_codes_sizes_and_schedule(tmp_path: Path) -> None:
    """A chain of four steps and its noise are said in the preset itself. ᾱ as in the authors' code."""
    cfg = own_config(tmp_path, base="paper")
    encoder, denoiser = cfg.model.encoder, cfg.model.denoiser
    assert (encoder.layers, encoder.heads, encoder.conv_channels, encoder.conv_kernel) == (4, 2, 1024, 9)
    assert (cfg.model.hidden, denoiser.layers, denoiser.channels, set(denoiser.dilations)) == (256, 20, 256, {1})
    assert (cfg.model.pitch.target, cfg.model.pitch.level, cfg.model.energy.level) == ("f0", "frame", "frame")
    assert (cfg.loss.l1, cfg.loss.ssim, cfg.loss.variance, cfg.slices.frames) == (0.5, 0.5, 0.1, 0)
    assert cfg.train.optimizer.learning_rate == pytest.approx(256**-0.5 * 2000**-0.5, rel=2e-3)
    assert (cfg.train.optimizer.betas, cfg.train.clip_norm, cfg.train.max_steps) == ((0.9, 0.98), 1.0, 200_000)
    chain = chain_of(cfg.diffusion)
    found = vp_schedule(chain.n_steps, chain.beta_min, chain.beta_max).alpha_bars
    assert found == pytest.approx([0.44131, 0.039478, 7.1588e-4, 2.6314e-6, 1.9606e-9], rel=1e-3)
    assert ProDiffRecipe.model_fields["diffusion"].default.steps == 4


TEACHER = "teacher: {model: nowhere/model}\n"


@pytest.mark.parametrize(
    ("more", "overrides", "message"),
    [("", ("diffusion.sampler=released",), "diffusion.sampler.*is a student's"),
     ("", ("slices.frames=15",), "slices.frames.*too short: 0, or 16"),
     ("", ("loss.l1=0", "loss.ssim=0"), "loss.l1.*nothing would teach"),
     ("", ("diffusion.parameterisation=gradient", "loss.ssim=0"), "loss.*the noise is predicted"),
     ("", ("diffusion.steps=0",), "diffusion.steps"),
     ("", ("pack.onnx=true",), "pack.onnx.*denoises in steps"),
     (TEACHER, ("diffusion.parameterisation=gradient",), "only a generator can teach"),
     (TEACHER, ("loss.ssim=0",), "loss.*by L1 alone"),
     ("teacher: {}\n", (), "teacher.model")],
)  # fmt: skip
def test_mistakes_are_named_before_anything_runs(
    tmp_path: Path, more: str, overrides: tuple[str, ...], message: str
) -> None:
    with pytest.raises(ConfigErrors, match=message):
        own_config(tmp_path, *overrides, more=more)


def test_d16_every_command_that_is_named_exists() -> None:
    """In the page about distillation, in what a missing teacher's error says to run, and in the configurations."""
    named = {
        ("mini", name)
        for name in re.findall(r"egs/mini/tts1/run.sh (\w+)", (ROOT / "docs/distillation.md").read_text())
    }
    named |= {(corpus, WANTED.first.removeprefix("run.sh ")) for corpus in CORPORA}
    for path in ROOT.glob("egs/*/tts1/conf/**/*prodiff*.yaml"):
        comment = path.read_text().partition("\nbase")[0]
        named |= {(path.relative_to(ROOT / "egs").parts[0], name) for name in re.findall(r"run\.sh ([\w/]+)", comment)}
    assert ("kathleen", "tiny/prodiff_teacher") in named and ("mini", "prodiff_claims") in named
    missing = [each for each in sorted(named) if not (ROOT / "egs" / each[0] / f"tts1/conf/{each[1]}.yaml").is_file()]
    assert missing == []


def test_d18_a_vocoder_of_other_mels_is_refused_before_anything_runs(tmp_path: Path) -> None:
    write_generator(tmp_path)
    told = ("vocoder.type=hifigan", f"vocoder.path={tmp_path}")
    assert own_config(tmp_path, *told).vocoder.path == tmp_path
    with pytest.raises(ConfigErrors, match=r"vocoder\.path.*fmin_hz"):
        own_config(tmp_path, *told, "audio.mel=espnet_22k")


def test_every_trap_of_the_released_code_has_a_test() -> None:
    """But D19, which is about another repository."""
    places = ("models", "losses", "features", "recipes/tts", "synthesis")
    texts = [path.read_text() for place in places for path in (ROOT / "tests" / place).rglob("test_*.py")]
    names = [name for text in texts for name in re.findall(r"def test_(d\d+_\w+)", text)]
    assert {int(number) for name in names for number in re.findall(r"(?:^|_)d(\d+)(?=_)", name)} >= set(range(1, 19))


def test_listing_and_explaining_need_no_torch() -> None:
    conf = ROOT / "egs/mini/tts1/conf/prodiff.yaml"
    heavy = {"torch", "librosa", "lhotse", "pyworld", "pocketsphinx", "scipy", "accelerate", "matplotlib"}
    code = (
        "import sys; from recipes.tts.prodiff import PLAN, RECIPE; from speechkd.config import load_config; "
        f"PLAN(load_config({str(conf)!r}, RECIPE.config)).feeds(); print(*{heavy!r} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_the_plan_says_who_feeds_which_term(tmp_path: Path) -> None:
    plan = PLAN(own_config(tmp_path, "diffusion.steps=2", "teacher.rounds=3", more=TEACHER))
    (feed,) = plan.feeds()
    assert not plan.stored and (feed.term, feed.student, feed.teacher) == ("mel", "clean", "mel (frame, mel) float32")
    assert "16 → 8 → 4 → 2" in plan.notes[0] and plan.teacher.startswith("ProDiff of 16 steps in ")


@pytest.mark.parametrize(
    "changes",
    [{}, {"loss": {"ssim": 0.0}}, {"diffusion": {"parameterisation": "gradient"}},
     {"model": {"energy": {"target": "none"}}}],
)  # fmt: skip
def test_the_plan_without_a_teacher_names_the_terms_that_are_computed(bench: Bench, changes: dict[str, Any]) -> None:
    cfg = bench.cfg(**changes)
    plan, task = PLAN(cfg), bench.task(cfg)
    weighted = {term.name for term in plan.terms if term.weight}
    assert plan.targets == () and "recordings alone" in plan.teacher
    assert weighted == set(task.losses(task.model, task.load(IDS)))


def test_d4_levels_are_drawn_up_to_the_top_and_as_often(bench: Bench) -> None:
    task, counts = bench.task(), [0] * 5
    for epoch in range(500):
        task.epoch(1, epoch)
        for level in task.load(IDS).levels.tolist():
            counts[level] += 1
    # 2,000 draws of 5: the deviation of each count is 18.
    assert sum(counts) == 2000 and all(abs(count - 400) < 90 for count in counts)


def test_a_stretch_brings_its_own_frames_and_stays_within_its_utterance(bench: Bench) -> None:
    task = bench.task(bench.cfg(slices={"frames": 16}))
    whole = bench.dataset(bench.cfg()).batch(IDS)
    lengths = whole.mel_lengths.tolist()
    assert min(lengths) < 16 < max(lengths)
    lasts = set()
    for epoch in range(120):
        task.epoch(1, epoch)
        batch = task.load(IDS)
        assert batch.mel.shape == batch.noise.shape == (4, 16, 12)
        for row, (start, length) in enumerate(zip(batch.starts.tolist(), lengths, strict=True)):
            n = min(16, length)
            assert start + n <= length and batch.mask[row].tolist() == [True] * n + [False] * (16 - n)
            assert batch.mel[row, :n].equal(whole.mel[row, start : start + n])
            lasts.add((row, start + n == length, start == 0))
    assert len(lasts) >= 4 and {(row, True) for row in range(4)} == {(row, end) for row, end, _ in lasts if end}


def test_noise_depends_on_seed_epoch_and_utterances_alone(bench: Bench) -> None:
    task = bench.task(bench.cfg(slices={"frames": 16}))

    def drawn(seed: int, epoch: int, ids: list[str]) -> Noised:
        task.epoch(seed, epoch)
        torch.rand(3)
        return task.load(ids)

    first, again = drawn(1, 2, IDS), drawn(1, 2, IDS)
    assert all(getattr(first, name).equal(getattr(again, name)) for name in ("levels", "starts", "noise"))
    assert not any(first.noise.equal(drawn(*other).noise) for other in ((2, 2, IDS), (1, 3, IDS), (1, 2, IDS[::-1])))
    whole = drawn(1, 2, IDS[:1])
    assert abs(float(whole.noise.mean())) < 0.3 and 0.8 < float(whole.noise.std()) < 1.2


def alone(batch: Noised, row: int, whole: Batch) -> Noised:
    """One row of a batch of whole utterances, without padding."""
    n = int(batch.mask[row].sum())
    part = slice(row, row + 1)
    return Noised(
        whole, batch.starts[part], batch.mel[part, :n], batch.mask[part, :n], batch.levels[part], batch.noise[part, :n]
    )


@pytest.mark.parametrize("kind", ["small", "frames"])
def test_d6_d8_padding_changes_no_loss(bench: Bench, kind: str) -> None:
    """Every term of a padded batch is the mean of those of its utterances alone, weighted by frames or by tokens."""
    cfg = bench.cfg(kind)
    task, data = bench.task(cfg), bench.dataset(cfg)
    task.model.eval()
    batch = task.load(IDS)
    torch.nn.init.constant_(batch.noise[~batch.mask], 1e4)  # what stands in the padding does not matter
    batch.mel[~batch.mask] = float("nan")
    with torch.no_grad():
        together = task.losses(task.model, batch)
        rows = [task.losses(task.model, alone(batch, row, data.batch([id_]))) for row, id_ in enumerate(IDS)]
    frames = batch.mask.sum(dim=1).tolist()
    tokens = batch.batch.token_lengths.tolist()
    assert set(together) == {"l1", "ssim", "duration", "pitch", "energy"}
    for name, weights in (("l1", frames), ("ssim", frames), ("duration", tokens)):
        expected = sum(float(row[name]) * n for row, n in zip(rows, weights, strict=True)) / sum(weights)
        assert float(together[name]) == pytest.approx(expected, rel=1e-4), name


def test_the_terms_by_hand(bench: Bench) -> None:
    """Half of |x_0 - f| in decadic logarithms, counted bin by bin, and the weights of the other terms."""
    task = bench.task()
    task.model.eval()
    batch = task.load(IDS)
    with torch.no_grad():
        out = task.model(*batch.arguments())
    total, count = 0.0, 0
    for row in range(4):
        for frame in range(int(batch.batch.mel_lengths[row])):
            for band in range(12):
                total += abs(float(out.clean[row, frame, band]) - float(batch.mel[row, frame, band]) / math.log(10))
                count += 1
    terms = {name: value.detach() for name, value in task.losses(task.model, batch).items()}
    assert float(terms["l1"]) == pytest.approx(0.5 * total / count, rel=1e-5)
    double = bench.task(bench.cfg(loss={"l1": 1.0, "ssim": 0.0, "variance": 0.2}))
    double.model.load_state_dict(task.model.state_dict())
    double.model.eval()
    doubled = {name: value.detach() for name, value in double.losses(double.model, batch).items()}
    assert set(doubled) == set(terms) - {"ssim"}
    assert all(float(doubled[name]) == pytest.approx(2 * float(terms[name]), rel=1e-5) for name in doubled)


def test_the_gradient_form_learns_the_noise(bench: Bench) -> None:
    task = bench.task(bench.cfg(diffusion={"parameterisation": "gradient"}))
    task.model.eval()
    batch = task.load(IDS)
    with torch.no_grad():
        out = task.model(*batch.arguments())
        terms = task.losses(task.model, batch)
    assert set(terms) == {"noise", "duration", "pitch", "energy"}
    assert float(terms["noise"]) == pytest.approx(float((out.made - batch.noise)[batch.mask].abs().mean()), rel=1e-5)


def test_d5_levels_are_left_as_they_are(bench: Bench) -> None:
    task = bench.task()
    batch = task.load(IDS)
    before = batch.levels.clone()
    task.losses(task.model, batch)
    assert batch.levels.equal(before)


@pytest.mark.parametrize("parameterisation", ["generator", "gradient"])
def test_d7_gradients_are_finite_on_constant_input(bench: Bench, parameterisation: str) -> None:
    """Silence: a mel that is the same everywhere, at every level of noise."""
    task = bench.task(bench.cfg(diffusion={"parameterisation": parameterisation}))
    batch = task.load(IDS)
    batch.mel = torch.full_like(batch.mel, -6 * math.log(10.0))
    batch.noise = torch.zeros_like(batch.noise)
    for level in range(5):
        batch.levels = torch.full_like(batch.levels, level)
        task.model.zero_grad()
        total = sum(task.losses(task.model, batch).values(), torch.zeros(()))
        total.backward()
        assert total.isfinite() and all(p.grad is None or p.grad.isfinite().all() for p in task.model.parameters())


def test_d17_recordings_teach_the_encoder_through_the_denoiser(bench: Bench) -> None:
    task = bench.task(bench.cfg(slices={"frames": 16}))
    terms = task.losses(task.model, task.load(IDS))
    (terms["l1"] + terms["ssim"]).backward()
    reached = {name.split(".")[0] for name, p in task.model.named_parameters() if p.grad is not None and p.grad.any()}
    assert {"embedding", "encoder", "denoiser"} <= reached and "duration_predictor" not in reached


def test_d12_validation_is_the_same_whenever_it_is_asked_for(bench: Bench) -> None:
    """The same noise at the same levels in every validation, of whole utterances; all levels take turns."""
    cfg = bench.cfg(slices={"frames": 16}, diffusion={"steps": 3})
    model = bench.model(cfg)
    task = ProDiffTask(model, bench.dataset(cfg), (IDS, IDS), cfg)
    levels = [level for batch in task.held_out() for level in batch.levels.tolist()]
    assert sorted(levels) == [0, 1, 2, 3]
    assert all(batch.mask.sum(dim=1).equal(batch.batch.mel_lengths) for batch in task.held_out())
    model.eval()
    first = task.validate(model, torch.device("cpu"))
    task.epoch(7, 3)
    torch.manual_seed(99)
    assert task.validate(model, torch.device("cpu")) == first
    assert first["loss"] == pytest.approx(sum(value for name, value in first.items() if name != "loss"))


def test_a_killed_training_ends_like_one_that_was_not(bench: Bench, tmp_path: Path) -> None:
    cfg = bench.cfg(slices={"frames": 16})
    whole = fit(bench.task(cfg), cfg.train, tmp_path / "whole", Recorder())
    with pytest.raises(Killed):
        fit(bench.task(cfg), cfg.train, tmp_path / "killed", Recorder(die_at=5))
    again = fit(bench.task(cfg), cfg.train, tmp_path / "killed", Recorder())
    assert_same_run(again, whole, tmp_path)
    assert last_state(tmp_path / "killed") == last_state(tmp_path / "whole")


def test_it_learns(bench: Bench, tmp_path: Path) -> None:
    """Sixty steps on four utterances: the mels come nearer at every level, also what is sampled."""
    train = {"max_steps": 60, "optimizer": {"learning_rate": 1e-2}, "valid_every_steps": 20, "ema_decay": 0.0}
    cfg = bench.cfg(train=bench.cfg().train.model_dump(mode="json") | train)
    task = bench.task(cfg)
    trained = fit(task, cfg.train, tmp_path, Recorder())
    losses = [row["l1"] for row in trained.progress.history if row["kind"] == "valid"]
    assert losses[-1] < 0.6 * losses[0]
    task.model.load_state_dict(trained.weights)
    model: Any = task.model.eval()
    batch = bench.dataset(cfg).batch(IDS)
    spoken = model.infer(batch.tokens, batch.token_lengths, durations=batch.variances.durations)
    mask = torch.arange(batch.mel.shape[1]) < batch.mel_lengths[:, None]
    assert float((spoken.mel - batch.mel)[mask].abs().mean()) < 0.7 * float(
        (batch.mel - batch.mel[mask].mean())[mask].abs().mean()
    )


def test_speakers_are_told_apart(bench: Bench) -> None:
    cfg = bench.cfg()
    model: ProDiff = bench.model(cfg, names=("ann", "ben"))
    data = bench.dataset(cfg, {id_: number % 2 for number, id_ in enumerate(IDS)})
    task = ProDiffTask(model, data, (IDS[:3], IDS[3:]), cfg)
    batch = task.load(IDS)
    assert batch.batch.speakers.tolist() == [0, 1, 0, 1]
    task.losses(model, batch)["l1"].backward()
    assert model.speaker_embedding is not None
    gradient = model.speaker_embedding.weight.grad
    assert gradient is not None and gradient[0].any() and gradient[1].any()
    model.eval()
    tokens, lengths, durations = batch.batch.tokens, batch.batch.token_lengths, batch.batch.variances.durations
    mels = [model.infer(tokens, lengths, speakers=torch.full((4,), who), durations=durations).mel for who in (0, 1)]
    assert not mels[0].allclose(mels[1])


def test_stages_are_those_of_every_text_to_speech_recipe() -> None:
    from recipes.tts.fastspeech2 import RECIPE as OTHER

    assert [stage.name for stage in RECIPE.stages] == [stage.name for stage in OTHER.stages]
    assert json.dumps(RECIPE.find("train").external) == '["teacher.model"]'
