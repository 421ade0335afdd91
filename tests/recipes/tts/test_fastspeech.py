"""FastSpeech without a run: configurations, plan, losses, durations out of attention, and which teacher may teach.

What goes wrong in FastSpeech, and the tests that would notice (`test_tNN_…`):

| trap | tested in |
|---|---|
| T1 rounding half up | models/tts/test_regulator.py, models/tts/test_fastspeech.py |
| T2 speed before rounding | models/tts/test_regulator.py, models/tts/test_fastspeech.py |
| T3 an utterance without a frame | models/tts/test_regulator.py, models/tts/test_fastspeech.py |
| T4 durations of one pass, mel of another | here, test_fastspeech_run.py |
| T5 sums of attention columns | here |
| T6 tokens without frames in a row | models/tts/test_regulator.py, models/tts/test_fastspeech.py |
| T7 several frames per step of the teacher | here, models/tts/test_transformer.py |
| T8 a teacher that does not follow the text | here |
| T9 frames that go backward | here |
| T10 tokens that are padding | here, models/tts/test_transformer.py |
| T11 convolutions that read padding | models/tts/test_fastspeech.py, models/common/test_fft.py |
| T12 a logarithm clipped at 0 | models/tts/test_fastspeech.py |
| T13 a batch axis lost at batch 1 | models/tts/test_fastspeech.py |
| T14 a table of positions that ends | models/tts/test_fastspeech.py |
| T15 a loss that depends on its batch | here |
| T16 speed measured cold | recipes/tts/common/infer.py leaves the first utterance out: here |
| T17 test sentences known to the teacher | here, test_fastspeech_run.py |
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from recipes.tts.common.infer import _write_timing
from recipes.tts.common.texts import TextBatch
from recipes.tts.fastspeech import PLAN, RECIPE
from recipes.tts.fastspeech.attention import backward_share, read
from recipes.tts.fastspeech.config import LossSection, TargetSection
from recipes.tts.fastspeech.plan import SPECS, student_plan
from recipes.tts.fastspeech.targets import Heard, distrust, refuse_test_sentences, trusted_head
from recipes.tts.fastspeech.task import objective
from recipes.tts.fastspeech.teach import check
from recipes.tts.transformer import RECIPE as TEACHER
from speechkd.align.attention import focus_rate
from speechkd.config import ConfigErrors, load_config
from speechkd.errors import ArtifactError, ConfigError, DataError, StageError
from speechkd.models.tts.fastspeech import FastSpeech
from speechkd.models.tts.fastspeech_config import FastSpeechConfig
from speechkd.models.tts.transformer import TransformerTts
from speechkd.models.tts.transformer_config import TransformerConfig
from speechkd.runner.records import Plan, Record, RunFolder
from speechkd.runner.slices import slice_leaves

ROOT = Path(__file__).resolve().parents[3]
CORPORA = ("kathleen", "ljspeech", "mini")
PRESETS = ("fastspeech", "fastspeech_gt", "fastspeech_fc")
SHIPPED = [ROOT / "egs" / corpus / "tts1/conf" / f"{name}.yaml" for corpus in CORPORA for name in PRESETS]
STAGES = [
    *("prepare", "tokenize", "align", "extract", "teach", "targets"),
    *("train", "infer", "score", "pack", "results"),
]


def shipped(corpus: str, preset: str) -> Any:
    return load_config(ROOT / "egs" / corpus / "tts1/conf" / f"{preset}.yaml", RECIPE.config)


@pytest.mark.parametrize("corpus", CORPORA)
@pytest.mark.parametrize("preset", PRESETS)
def test_every_shipped_configuration_loads(corpus: str, preset: str) -> None:
    cfg = shipped(corpus, preset)
    assert cfg.recipe == RECIPE.name and cfg.results.conf == preset
    assert cfg.run.dir == ROOT / "exp" / corpus / preset
    assert cfg.run.base == ROOT / "exp" / corpus / ("transformer" if preset == "fastspeech" else "fastspeech")
    assert cfg.teacher.model == ROOT / "exp" / corpus / "transformer/model"
    assert cfg.targets.source == ("gt" if preset == "fastspeech_gt" else "kd")
    assert cfg.corpus.licence and cfg.corpus.speaker


@pytest.mark.parametrize("corpus", CORPORA)
def test_presets_differ_in_what_they_are_about_alone(corpus: str) -> None:
    kd, gt, fc = (shipped(corpus, preset).model_dump() for preset in PRESETS)
    for other, section in ((gt, "targets"), (fc, "model")):
        differing = {name for name in kd if kd[name] != other[name]}
        assert differing == {section, "run", "pack", "results"}
    # What the targets stage reads is the same, so that fc takes over the targets of kd.
    assert kd["targets"] == fc["targets"] and kd["teacher"] == fc["teacher"]


@pytest.mark.parametrize("corpus", CORPORA)
def test_without_convolutions_the_model_is_of_the_same_size(corpus: str) -> None:
    sizes = []
    for preset in ("fastspeech", "fastspeech_fc"):
        network = shipped(corpus, preset).model
        config = FastSpeechConfig(
            network=network, n_symbols=80, n_mels=80, mel_mean=(0.0,) * 80, mel_deviation=(1.0,) * 80
        )
        sizes.append(sum(parameter.numel() for parameter in FastSpeech(config).parameters()))
        kernels = {network.encoder.conv_kernel, network.decoder.conv_kernel, network.encoder.second_kernel}
        assert kernels == ({3} if preset == "fastspeech" else {1})
    assert sizes[0] == pytest.approx(sizes[1], rel=0.01)


def test_the_papers_sizes_and_schedule(tmp_path: Path) -> None:
    cfg = own_config(tmp_path, base="paper")
    for stack in (cfg.model.encoder, cfg.model.decoder):
        sizes = (stack.layers, stack.heads, stack.conv_channels, stack.conv_kernel, stack.second_kernel, stack.dropout)
        assert sizes == (6, 2, 1536, 3, 3, 0.1)
    assert (cfg.model.hidden, cfg.model.predictor.channels, cfg.loss.mel) == (384, 256, "mse")
    assert (cfg.train.optimizer.betas, cfg.train.optimizer.eps, cfg.train.max_steps) == ((0.9, 0.98), 1e-9, 80_000)
    assert cfg.train.optimizer.learning_rate == pytest.approx(384**-0.5 * 4000**-0.5, rel=1e-3)


def own_config(folder: Path, *overrides: str, base: str = "small", teacher: str = "{model: nowhere/model}") -> Any:
    (folder / "conf.yaml").write_text(
        f"base: {ROOT}/recipes/tts/fastspeech/conf/{base}.yaml\nteacher: {teacher}\n"
        "run: {dir: run}\ncorpus: {name: mini}\npack: {name: x}\n"
    )
    return load_config(folder / "conf.yaml", RECIPE.config, overrides)


@pytest.mark.parametrize(
    ("overrides", "teacher", "message"),
    [((), "{}", "teacher.model"), ((), "{network: {hidden: 4}}", "teacher.own"),
     (("targets.shortest=3",), "{model: x}", "targets.shortest"), (("model.hidden=191",), "{model: x}", "heads")],
)  # fmt: skip
def test_mistakes_are_named_before_anything_runs(
    tmp_path: Path, overrides: tuple[str, ...], teacher: str, message: str
) -> None:
    with pytest.raises(ConfigErrors, match=message.replace(".", r"\.")):
        own_config(tmp_path, *overrides, teacher=teacher)


@pytest.mark.parametrize("corpus", CORPORA)
def test_the_teachers_configuration_prepares_the_corpus_in_the_same_way(corpus: str) -> None:
    """Else nothing is taken over from its run, and the teacher is refused."""
    own, teacher = (
        shipped(corpus, "fastspeech"),
        load_config(ROOT / "egs" / corpus / "tts1/conf/transformer.yaml", TEACHER.config),
    )
    assert teacher.run.dir == own.run.base
    for name in ("prepare", "tokenize", "align", "extract"):
        stage = RECIPE.find(name)
        assert stage is TEACHER.find(name)
        assert slice_leaves(own, stage) == slice_leaves(teacher, stage)


def test_stages_and_what_flows_between_them() -> None:
    assert [stage.name for stage in RECIPE.stages] == STAGES
    assert RECIPE.find("targets").external == () and "train" not in RECIPE.find("targets").uses
    for stage in RECIPE.stages:
        assert (stage.function.__doc__ or "").strip(), stage.name


def test_listing_and_explaining_need_no_torch() -> None:
    conf = ROOT / "egs/mini/tts1/conf/fastspeech.yaml"
    heavy = {"torch", "librosa", "lhotse", "pyworld", "pocketsphinx", "scipy", "accelerate", "matplotlib"}
    code = (
        "import sys; from recipes.tts.fastspeech import PLAN, RECIPE; from speechkd.config import load_config; "
        f"PLAN(load_config({str(conf)!r}, RECIPE.config)).feeds(); print(*{heavy!r} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_the_plan_says_who_feeds_which_term() -> None:
    plan = PLAN(shipped("mini", "fastspeech_gt"))
    feeds = {feed.term: feed for feed in plan.feeds()}
    assert set(feeds) == {"mel", "duration"} and plan.stored and plan.targets == SPECS
    assert "durations (token) int32" in feeds["duration"].teacher and "log" in feeds["duration"].equation
    assert any("gt" in note and "recording" in note for note in plan.notes)


class Toy:
    """Two utterances of 3 and 2 tokens, 4 and 2 frames, two bands; NaN where there is padding."""

    batch = TextBatch(["a", "b"], torch.tensor([[5, 6, 7], [5, 6, 0]]), torch.tensor([3, 2]), torch.tensor([0, 0]))
    durations = torch.tensor([[2, 0, 2], [1, 1, 0]], dtype=torch.int32)
    mel = torch.arange(16.0).view(2, 4, 2)

    @classmethod
    def outputs(cls) -> dict[str, Tensor]:
        mel = cls.mel + torch.tensor([[1.0], [3.0]])[:, None]
        mel[1, 2:] = 1e9
        log_durations = torch.tensor([[1.0, 0.5, 0.0], [0.2, 0.3, 1e9]])
        return {"mel": mel, "log_durations": log_durations}

    @classmethod
    def targets(cls) -> dict[str, Tensor]:
        return {"mel": cls.mel, "durations": cls.durations}


@pytest.mark.parametrize(("kind", "mel"), [("mse", (8 * 1 + 4 * 9) / 12), ("l1", (8 * 1 + 4 * 3) / 12)])
def test_the_losses_by_hand(kind: Any, mel: float) -> None:
    """t15 as well: frames and tokens are counted, utterances are not, and padding is neither."""
    loss = LossSection(mel=kind, mel_weight=2.0, duration_weight=0.5)
    values = objective(loss).terms(Toy.outputs(), Toy.targets(), Toy.batch, step=1)
    assert float(values["mel"]) == pytest.approx(2.0 * mel)
    ln = np.log
    errors = [1.0 - ln(3), 0.5 - ln(1), 0.0 - ln(3), 0.2 - ln(2), 0.3 - ln(2)]
    assert float(values["duration"]) == pytest.approx(0.5 * np.mean(np.square(errors)), rel=1e-6)


def test_t15_a_loss_does_not_depend_on_what_else_is_in_the_batch() -> None:
    """Frames of both utterances, weighted by their number, give the loss of the padded batch."""
    value = objective(LossSection())
    outputs, targets = Toy.outputs(), Toy.targets()
    together = value.terms(outputs, targets, Toy.batch, step=1)
    total = dict.fromkeys(together, 0.0)
    for row, (n_tokens, n_frames) in enumerate(((3, 4), (2, 2))):
        one = slice(row, row + 1)
        alone = value.terms(
            {"mel": outputs["mel"][one, :n_frames], "log_durations": outputs["log_durations"][one, :n_tokens]},
            {"mel": targets["mel"][one, :n_frames], "durations": targets["durations"][one, :n_tokens]},
            TextBatch(["x"], Toy.batch.tokens[one, :n_tokens], torch.tensor([n_tokens]), torch.tensor([0])),
            step=1,
        )
        for name, count, of in (("mel", n_frames, 6), ("duration", n_tokens, 5)):
            total[name] += float(alone[name]) * count / of
    assert total == pytest.approx({name: float(each) for name, each in together.items()})


def test_the_code_computes_the_terms_that_the_plan_names() -> None:
    loss = LossSection(mel_weight=0.25)
    assert objective(loss).specs == student_plan(loss).terms


def diagonal(n_frames: int, n_tokens: int, sharp: float) -> np.ndarray:
    """Attention that walks along the text: each frame gives `sharp` to its token and the rest to all equally."""
    places = np.arange(n_frames) * n_tokens // n_frames
    attention = np.full((n_frames, n_tokens), (1 - sharp) / n_tokens, dtype=np.float32)
    attention[np.arange(n_frames), places] += sharp
    return attention


@pytest.mark.parametrize("path", ["argmax", "monotone"])
def test_planted_durations_are_recovered(path: Any) -> None:
    planted = np.array([3, 0, 5, 1, 0, 4])
    attention = np.repeat(np.eye(6, dtype=np.float32), planted, axis=0) * 0.7 + 0.05
    reading = read(attention, path)
    assert reading.durations.tolist() == planted.tolist() and reading.durations.dtype == np.int32
    assert reading.backward_share == 0


def test_t05_counting_argmax_not_column_sums() -> None:
    """Sums of columns cut to whole numbers lose frames; counts cannot."""
    attention = diagonal(41, 7, 0.6)
    summed = np.floor(attention.sum(axis=0)).astype(int)
    assert summed.sum() < 41
    for path in ("argmax", "monotone"):
        assert read(attention, path).durations.sum() == 41  # type: ignore[arg-type]


def test_t09_backward_jumps_are_counted_and_a_monotone_path_has_none() -> None:
    places = [0, 0, 2, 1, 2, 3, 0, 3]
    attention = np.eye(4, dtype=np.float32)[places] * 0.8 + 0.05
    assert backward_share(attention) == pytest.approx(2 / 7)
    assert read(attention, "argmax").durations.tolist() == np.bincount(places).tolist()
    monotone = read(attention, "monotone")
    assert monotone.durations.sum() == 8 and monotone.backward_share == pytest.approx(2 / 7)
    assert monotone.durations.tolist() == best_forward_counts(attention)
    assert backward_share(attention[:1]) == 0


def best_forward_counts(attention: np.ndarray) -> list[int]:
    """By trying every path that never goes back."""
    from itertools import combinations_with_replacement

    n_frames, n_tokens = attention.shape
    paths = combinations_with_replacement(range(n_tokens), n_frames)
    best = max(paths, key=lambda path: np.log(attention[np.arange(n_frames), path]).sum())
    return np.bincount(best, minlength=n_tokens).tolist()


def teacher(reduction: int = 1) -> TransformerTts:
    fft = {"layers": 2, "heads": 2, "conv_channels": 16, "conv_kernel": 3}
    torch.manual_seed(3)
    config = TransformerConfig.model_validate(
        {"network": {"hidden": 16, "encoder": fft, "decoder": fft, "prenet": {"layers": 1, "channels": 8},
                     "reduction": reduction},
         "n_symbols": 20, "n_mels": 4, "mel_mean": (0.0,) * 4, "mel_deviation": (1.0,) * 4}
    )  # fmt: skip
    return TransformerTts(config).eval()


@pytest.mark.parametrize("reduction", [1, 3])
def test_t07_t10_durations_of_a_padded_batch_are_those_of_each_text_alone(reduction: int) -> None:
    """No frame is counted for a token that is padding, and every frame of a step with several is counted."""
    model, generator = teacher(reduction), torch.Generator().manual_seed(0)
    tokens, token_lengths = torch.randint(1, 20, (2, 9), generator=generator), torch.tensor([9, 4])
    mel, mel_lengths = torch.randn(2, 22, 4, generator=generator), torch.tensor([22, 13])
    with torch.inference_mode():
        together = model(tokens, token_lengths, mel, mel_lengths).attention
        for row, (n_tokens, n_frames) in enumerate(zip(token_lengths.tolist(), mel_lengths.tolist(), strict=True)):
            one, counts = slice(row, row + 1), []
            alone = model(tokens[one, :n_tokens], token_lengths[one], mel[one, :n_frames], mel_lengths[one]).attention
            for attention in (together[row, 1, 0, :n_frames], alone[0, 1, 0]):
                counts.append(read(attention.numpy(), "argmax").durations.tolist())
            assert counts[0] == counts[1] + [0] * (9 - n_tokens) and sum(counts[1]) == n_frames


def test_focus_rates_at_the_ends_of_the_scale() -> None:
    assert focus_rate(np.eye(5, dtype=np.float32)) == pytest.approx(1.0)
    assert focus_rate(np.full((7, 4), 0.25, dtype=np.float32)) == pytest.approx(0.25)


def test_t08_a_teacher_whose_best_head_does_not_follow_the_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "head.json").write_text(json.dumps({"layer": 1, "head": 0, "focus_rate": 0.31, "rates": []}))
    with pytest.raises(StageError, match=r"layer 1 head 0.*0\.310.*0\.5.*[Tt]rain the teacher"):
        trusted_head(tmp_path, TargetSection().teacher_focus)
    head = trusted_head(tmp_path, 0.3)
    assert (head.layer, head.head) == (1, 0)


@pytest.mark.parametrize(
    ("n_frames", "stopped", "sharp", "source", "reason"),
    [(100, True, 0.9, "kd", ""), (100, False, 0.9, "kd", "did not stop"), (40, True, 0.9, "kd", "stopped after 40"),
     (100, True, 0.4, "kd", "focus rate 0.4"), (100, True, 0.4, "gt", "focus rate 0.4"), (40, True, 0.9, "gt", "")],
)  # fmt: skip
def test_what_is_left_out_and_why(n_frames: int, stopped: bool, sharp: float, source: Any, reason: str) -> None:
    attention = diagonal(n_frames, 20, sharp)
    heard = Heard(np.zeros((n_frames, 80), dtype=np.float32), attention, stopped)
    found = distrust(heard, read(attention, "argmax"), 100, TargetSection(source=source))
    assert found.startswith(reason) if not reason else reason in found
    assert bool(found) == bool(reason)


class TeacherRun:
    """What `check` reads of a finished run of tts/transformer, and the manifest of a student's run."""

    def __init__(self, folder: Path, trained_on: str = "Good morning.", **settings: Any) -> None:
        self.run, self.own = folder / "teacher", folder / "student"
        self.model = self.run / "model"
        self.model.mkdir(parents=True)
        config = {"model": "transformer", "config": {"speakers": []}}
        (self.model / "model.json").write_text(json.dumps(config))
        (self.model / "head.json").write_text("{}")
        manifest(self.run / "manifest", {"a": trained_on, "b": "Second.", "c": "Third."})
        manifest(self.own / "manifest", {"a": "Good morning.", "b": "Second.", "c": "Third."})
        for run in (self.run, self.own):
            (run / "spoken").mkdir()
            (run / "spoken/symbols.json").write_text(json.dumps({"symbols": ["_", "AA1"]}))
        plan = Plan("tts/transformer", "extract", 2, {"audio.mel": "hifigan_22k", "audio.loudness_dbfs": -20.0}, {}, {})
        RunFolder(self.run).write_record("extract", Record(plan, {}, {}, 1.0))
        self.audio = SimpleNamespace(**({"mel": "hifigan_22k", "loudness_dbfs": -20.0} | settings))

    def check(self) -> None:
        check(self.model, self.own / "manifest", self.own / "spoken", self.audio)


def manifest(folder: Path, texts: dict[str, str]) -> None:
    """A manifest of utterances a (train), b (valid), c (test), as lhotse would write it."""
    folder.mkdir(parents=True)
    recordings, supervisions = [], []
    for line, (id_, text) in enumerate(texts.items(), 1):
        source = {"type": "file", "channels": [0], "source": f"{id_}.wav"}
        sound = {"sources": [source], "sampling_rate": 22050, "num_samples": 22050, "channel_ids": [0]}
        recordings.append({"id": id_, "duration": 1.0} | sound)
        place = {"recording_id": id_, "start": 0.0, "duration": 1.0, "channel": 0, "custom": {"line": line}}
        supervisions.append({"id": id_, "text": text, "language": "en"} | place)
    for name, rows in (("recordings", recordings), ("supervisions", supervisions)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "splits.json").write_text(json.dumps({"train": ["a"], "valid": ["b"], "test": ["c"]}))


def test_a_teacher_that_fits_may_teach(tmp_path: Path) -> None:
    bench = TeacherRun(tmp_path)
    bench.check()
    shutil.rmtree(bench.own / "manifest")
    with pytest.raises(ArtifactError):  # it did look at the sentences
        bench.check()


def test_a_teacher_that_is_not_there_is_to_be_trained_first(tmp_path: Path) -> None:
    bench = TeacherRun(tmp_path)
    shutil.rmtree(bench.model)
    with pytest.raises(ConfigError, match=r"Train it first: run\.sh transformer"):
        bench.check()


@pytest.mark.parametrize(
    ("settings", "message"), [({"mel": "other"}, "audio.mel"), ({"loudness_dbfs": None}, "audio.loudness_dbfs")]
)
def test_a_teacher_of_another_mel_is_refused(tmp_path: Path, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        TeacherRun(tmp_path, **settings).check()


@pytest.mark.parametrize(
    ("path", "content", "message"),
    [("teacher/model/model.json", {"model": "fastspeech2", "config": {}}, "fastspeech2 cannot teach"),
     ("teacher/model/model.json", {"model": "transformer", "config": {"speakers": ["x", "y"]}}, "other speakers"),
     ("teacher/spoken/symbols.json", {"symbols": ["_", "a"]}, "other symbols")],
)  # fmt: skip
def test_a_teacher_of_another_kind_is_refused(tmp_path: Path, path: str, content: Any, message: str) -> None:
    bench = TeacherRun(tmp_path)
    (tmp_path / path).write_text(json.dumps(content))
    with pytest.raises(ConfigError, match=message):
        bench.check()


@pytest.mark.parametrize("name", ["model/model.json", "model/head.json", "spoken/symbols.json"])
@pytest.mark.parametrize("content", ["{", "[]"])
def test_a_damaged_teacher_is_said(tmp_path: Path, name: str, content: str) -> None:
    bench = TeacherRun(tmp_path)
    (tmp_path / "teacher" / name).write_text(content)
    with pytest.raises(ArtifactError, match=f"{name}: a file of the teacher is damaged"):
        bench.check()


def test_a_model_without_its_run_is_refused(tmp_path: Path) -> None:
    bench = TeacherRun(tmp_path)
    shutil.rmtree(bench.run / ".records")
    with pytest.raises(ConfigError, match="nobody knows what this teacher was trained on"):
        bench.check()


@pytest.mark.parametrize("said", ["Third.", "third!", "THIRD"])
def test_t17_a_teacher_that_knows_a_test_sentence_is_refused(tmp_path: Path, said: str) -> None:
    """Also under another id, in other letters, and where it only chose the head or the weights."""
    with pytest.raises(DataError, match="knows 1 of the test sentences"):
        TeacherRun(tmp_path, trained_on=said).check()
    bench = TeacherRun(tmp_path / "head")
    (bench.run / "manifest/splits.json").write_text(json.dumps({"train": ["a"], "valid": ["c"], "test": ["b"]}))
    with pytest.raises(DataError, match="trained or chosen on: third"):
        bench.check()


def test_t17_a_test_sentence_among_those_to_learn_is_refused(tmp_path: Path) -> None:
    manifest(tmp_path / "good", {"a": "First.", "b": "Second.", "c": "Third."})
    refuse_test_sentences(tmp_path / "good", ("train", "valid"))
    manifest(tmp_path / "bad", {"a": "First.", "b": "Third!", "c": "Third."})
    with pytest.raises(StageError, match="test sentences would be learned.*third"):
        refuse_test_sentences(tmp_path / "bad", ("train", "valid"))


def test_t16_the_first_utterance_warms_up_and_does_not_count(tmp_path: Path) -> None:
    rows = [{"audio_s": 1.0, "text_s": t, "acoustic_s": t, "vocoder_s": t} for t in (50.0, 0.1, 0.3)]
    _write_timing(tmp_path, rows)
    assert json.loads((tmp_path / "timing.json").read_text())["real_time_factor"]["acoustic"] == pytest.approx(0.2)
