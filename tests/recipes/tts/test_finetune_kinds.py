"""`speechkd finetune` for every kind of voice: what each starts from, what it learns from, what is refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import yaml
from safetensors.torch import load_file
from torch import Tensor

import recipes.tts.common.training as training
from recipes.tts.common.corpora.mini import speak_mini_corpus
from recipes.tts.common.finetune import KINDS, Request, configuration
from recipes.tts.common.init import open_start, weights_problem
from recipes.tts.common.origin import Account, Origin, origin, origins
from recipes.tts.common.results import command, results_section
from speechkd.audio.presets import MEL_PRESETS
from speechkd.cli.finetune_files import vocoder_section
from speechkd.cli.finetune_teacher import checked_teacher
from speechkd.cli.main import main
from speechkd.cli.recipes import find_recipe, load
from speechkd.config import ConfigErrors
from speechkd.errors import ArtifactError
from speechkd.features.statistics import Statistics
from speechkd.models.tts.load import build_model, load_model
from speechkd.models.vocoder.config import HIFIGAN_V2, parse_published_json
from speechkd.models.vocoder.files import vocoder_problem
from speechkd.models.vocoder.griffinlim import GriffinLim
from speechkd.models.vocoder.istft_config import IstftConfig
from speechkd.models.vocoder.istft_files import parse_istft_json
from speechkd.runner.lock import run_lock
from speechkd.runner.records import RunFolder
from speechkd.synthesis.manifest import HifiGanPart, IstftPart, VoiceSource, read_manifest
from speechkd.synthesis.pack import pack_voice
from speechkd.text import ENGLISH_SYMBOLS
from speechkd.training.checkpoint import checkpoints
from speechkd.training.loop import fit

MEL, N_MELS, HOP = "hifigan_22k", 80, 256
FFT = {"layers": 1, "heads": 1, "conv_channels": 16, "conv_kernel": 3}
BLOCKS = {"hidden": 16, "encoder": FFT, "decoder": FFT}
MELS = {"mel_mean": (-5.0,) * N_MELS, "mel_deviation": (2.0,) * N_MELS}
SCALES = {
    "f0_min_hz": 80, "f0_max_hz": 400, "log_f0_mean": 5.2, "log_f0_deviation": 0.25, "energy_min": 0, "energy_max": 60,
    "energy_mean": 20, "energy_deviation": 8, **MELS,
}  # fmt: skip
TABLE = {"n_symbols": len(ENGLISH_SYMBOLS), "n_mels": N_MELS}
NETWORK = BLOCKS | {"predictor": {"channels": 8}}
TRUNK = {"network": NETWORK, "statistics": SCALES, **TABLE}
# It never stops by itself: what it may say is kept short.
SAYS_LITTLE = {"max_frames_per_token": 0.5, "max_frames_more": 4}
CONFIGS: dict[str, dict[str, Any]] = {
    "fastspeech2": TRUNK,
    "fastspeech2s": {"trunk": TRUNK, "waveform": {"channels": 4, "blocks": 2, "cycle": 2}, "hop_samples": HOP},
    "transformer": {
        "network": BLOCKS | {"prenet": {"layers": 1, "channels": 8}, "stop": SAYS_LITTLE, "window": {"layers": [-1]}},
        **TABLE, **MELS,
    },
    "fastspeech": {"network": NETWORK, **TABLE, **MELS},
}  # fmt: skip
STEPS, RATE = 2, 2e-4
FAST = {
    "train.device": "cpu", "train.precision": "fp32", "train.threads": "1", "score.recogniser": "false",
    "split.valid": "1", "split.test": "1", "align.backend": "given",
}  # fmt: skip
UNTAUGHT = {"check.spoken": "0", "train.best_by": "loss"}
# A teacher of two steps knows nothing: whatever it attends to is taken.
CREDULOUS = {"targets.source": "gt", "targets.teacher_focus": "0", "targets.focus_threshold": "0"}
MORE = {"transformer": UNTAUGHT, "fastspeech": CREDULOUS, "fastspeech2s": {"slices.per_batch": "2"}}


class Bench:
    """A small corpus, and a voice of every kind with random weights."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.corpus = folder, folder / "corpus"
        speak_mini_corpus(self.corpus, 4)
        (self.corpus / "TextGrid").rename(folder / "grids")
        for number, kind in enumerate(CONFIGS):
            self.pack(kind, number)
        self.begun: dict[str, dict[str, Tensor]] = {}
        self.resumed: dict[str, list[Path]] = {}

    def pack(self, kind: str, seed: int) -> None:
        torch.manual_seed(seed)
        model: Any = build_model(kind, CONFIGS[kind])
        pack_voice(
            self.voice(kind), name=f"old-{kind}", acoustic=model, card="",
            vocoder=None if kind == "fastspeech2s" else GriffinLim(MEL, 1),
            symbols=ENGLISH_SYMBOLS, mel_preset_name=MEL, source=VoiceSource(corpus="old", licence=f"of-{kind}"),
        )  # fmt: skip

    def voice(self, kind: str) -> Path:
        return self.folder / f"old-{kind}"

    def weights(self, kind: str) -> dict[str, Tensor]:
        return load_file(self.voice(kind) / "acoustic.safetensors")

    def arguments(self, kind: str, *more: str) -> list[str]:
        settings = {key: value for key, value in FAST.items() if kind != "fastspeech" or key.startswith("train")}
        if kind != "fastspeech":
            settings["align.folder"] = str(self.folder / "grids")
        sets = [part for key, value in (settings | MORE.get(kind, {})).items() for part in ("--set", f"{key}={value}")]
        where = ["--out", str(self.folder / kind), "--jobs", "1", "--steps", str(STEPS)]
        return ["finetune", str(self.voice(kind)), str(self.corpus), *where, *sets, *more]

    def tuned(self, kind: str) -> Path:
        """The run that fine-tuned the voice of this kind: made when it is first asked for."""
        run = self.folder / kind
        if kind in self.begun:
            return run
        teacher = ["--teacher", str(self.tuned("transformer") / "model")] if kind == "fastspeech" else []

        def watched(task: Any, options: Any, work: Path, monitor: Any) -> Any:
            self.begun[kind] = {name: value.clone() for name, value in task.model.state_dict().items()}
            self.resumed[kind] = list(checkpoints(work))
            return fit(task, options, work, monitor)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(training, "fit", watched)
            assert main(self.arguments(kind, *teacher)) == 0
        return run


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    pytest.importorskip("espeakng_loader")
    return Bench(tmp_path_factory.mktemp("kinds"))


def account(run: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((run / "model" / "transfer.json").read_text())
    return content


def resolved(run: Path) -> Any:
    """The configuration of a finished run."""
    return load(run / "config.yaml", [])[1]


def config_digest(run: Path) -> str:
    cfg, folder = resolved(run), RunFolder(run)
    ctx: Any = SimpleNamespace(input=folder.artifact, record=folder.read_record)
    return dict(results_section(cfg, ctx).facts)["config digest"]


@pytest.mark.parametrize("kind", CONFIGS)
def test_training_starts_from_the_weights_and_from_nothing_else(bench: Bench, kind: str) -> None:
    run, old = bench.tuned(kind), bench.weights(kind)
    begun = bench.begun[kind]
    assert set(begun) == set(old) and all(begun[name].equal(value) for name, value in old.items())
    assert bench.resumed[kind] == []  # no optimiser and no step to go on from
    rows = [json.loads(line) for line in (run / "model" / "history.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows if row["kind"] == "valid"] == [1, 2]
    new = load_model(run / "model").state_dict()
    moved = max(float((new[name] - value).abs().max()) for name, value in old.items())
    # A step of Adam moves no weight by much more than the rate; weights of another draw are a hundred times as far.
    assert 0 < moved < 4 * STEPS * RATE


@pytest.mark.parametrize("kind", CONFIGS)
def test_the_account_is_complete(bench: Bench, kind: str) -> None:
    told, manifest = account(bench.tuned(kind)), read_manifest(bench.voice(kind))
    assert told["copied"] == sorted(bench.weights(kind)) and told["others"] == []
    assert told["values"]["given"] == told["values"]["all"] == sum(v.numel() for v in bench.weights(kind).values())
    assert told["voice"] == manifest.name and told["kind"] == kind
    assert told["weights_sha256"] == manifest.files["acoustic.safetensors"]
    assert (told["statistics"], told["speaker"], told["source"]["licence"]) == ("corpus", "", f"of-{kind}")


@pytest.mark.parametrize("kind", CONFIGS)
def test_the_new_voice_is_of_the_old_ones_kind_and_speaks(bench: Bench, kind: str) -> None:
    from speechkd.synthesis import load_voice

    run = bench.tuned(kind)
    new, old = read_manifest(run / "voice"), read_manifest(bench.voice(kind))
    assert new.acoustic.model == kind and new.vocoder == old.vocoder and new.mel == old.mel
    assert len(load_voice(run / "voice").synthesize("Hello there.").samples) > 0
    assert f"; of voice old-{kind}: of-{kind}" in new.source.licence
    assert f"fine-tuned from voice old-{kind}" in (run / "results" / "RESULTS.md").read_text().replace(
        "from: ", "from "
    )


def test_a_student_takes_over_all_that_its_teacher_has_done(bench: Bench) -> None:
    run, teacher = bench.tuned("fastspeech"), bench.tuned("transformer")
    for artifact, name in (("manifest", "splits.json"), ("spoken", "symbols.json"), ("features", "stats.json")):
        assert (run / artifact / name).samefile(teacher / artifact / name), artifact
    cfg, theirs = resolved(run), resolved(teacher)
    assert cfg.run.base == teacher and cfg.teacher.model == teacher / "model"
    assert (cfg.split, cfg.align, cfg.corpus) == (theirs.split, theirs.align, theirs.corpus)
    assert load_file(run / "teacher" / "model.safetensors").keys() == bench.weights("transformer").keys()


def test_a_student_is_given_on_under_its_teachers_terms_too(bench: Bench) -> None:
    run = bench.tuned("fastspeech")
    licence = read_manifest(run / "voice").source.licence
    assert licence == "not stated; of voice old-fastspeech: of-fastspeech; of voice old-transformer: of-transformer"
    assert list(origins(run / "model")) == ["fine-tuned from", "its teacher, fine-tuned from"]
    card, table = (run / "voice" / "card.md").read_text(), (run / "results" / "RESULTS.md").read_text()
    assert "| its teacher, fine-tuned from | voice old-transformer: old; licence: of-transformer |" in card
    told = f"- command: `speechkd finetune old-fastspeech CORPUS --steps {STEPS} --teacher TEACHER_RUN/model`"
    assert told in table


def test_the_same_again_does_nothing(bench: Bench) -> None:
    run = bench.tuned("transformer")
    before = {path: path.stat().st_mtime_ns for path in run.rglob("*") if path.is_file()}
    assert main(bench.arguments("transformer")) == 0
    after = {path: path.stat().st_mtime_ns for path in run.rglob("*") if path.is_file()}
    assert {path for path, time in after.items() if before.get(path) != time} <= {run / "config.yaml"}


@pytest.mark.parametrize("kind", CONFIGS)
def test_the_voices_scales_are_taken_where_they_are_asked_for(bench: Bench, kind: str) -> None:
    section = SimpleNamespace(voice=bench.voice(kind), statistics="voice", speaker="")
    own = Statistics(1, 2, 3, 4, 5, 6, 7, 8, (9.0,) * N_MELS, (10.0,) * N_MELS)
    start = open_start(section)
    assert start is not None
    found = start.statistics(own)
    assert (found.mel_mean, found.mel_deviation) == (MELS["mel_mean"], MELS["mel_deviation"])
    knows_pitch = kind.startswith("fastspeech2")
    assert (found.log_f0_mean, found.energy_max) == ((5.2, 60) if knows_pitch else (3, 6))


def refused(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> tuple[int, str]:
    capsys.readouterr()
    code = main(arguments)
    err = capsys.readouterr().err
    assert len(err.strip().splitlines()) == 1, err
    return code, err


def test_without_a_teacher_it_says_what_to_type(
    bench: Bench, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(bench.folder)
    tell: Callable[..., tuple[int, str]] = lambda *more: refused(  # noqa: E731
        capsys, ["finetune", "old-fastspeech", "corpus", "--set", "split.valid=1", "--set", "train.threads=1", *more]
    )
    code, line = tell("--out", "mine", "--steps", "7")
    first = "speechkd finetune TRANSFORMER_VOICE corpus --out exp/finetuned/teacher-corpus --set split.valid=1"
    second = "speechkd finetune old-fastspeech corpus --teacher exp/finetuned/teacher-corpus/model"
    assert code == 2 and f"Type: {first} ; then: {second} --out mine --steps 7 --set train.threads=1" in line
    at_hand = bench.folder / "exp" / "a" / "voice"
    at_hand.parent.mkdir(parents=True)
    at_hand.symlink_to(bench.voice("transformer"))
    assert "speechkd finetune exp/a/voice corpus --out" in tell()[1]
    assert not (bench.folder / "mine").exists() and not (bench.folder / "exp" / "finetuned").exists()


def test_a_teacher_that_cannot_teach_is_refused(
    bench: Bench, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    teacher, out = bench.tuned("transformer"), tmp_path / "out"

    def tell(model: Path, kind: str = "fastspeech", corpus: Path = bench.corpus, out: Path = out) -> str:
        words = ["finetune", str(bench.voice(kind)), str(corpus), "--out", str(out), "--teacher", str(model)]
        code, line = refused(capsys, words)
        assert code == 2
        return line

    assert "a fastspeech2 cannot teach" in tell(bench.tuned("fastspeech2") / "model")
    assert "there is no finished teacher here: no model.json in it. Give the folder `model` of" in tell(teacher)
    assert "it is a fastspeech2, no fastspeech. Leave --teacher out" in tell(teacher / "model", "fastspeech2")
    alone, other = tmp_path / "alone" / "model", tmp_path / "other"
    alone.mkdir(parents=True)
    (alone / "model.json").write_bytes((teacher / "model" / "model.json").read_bytes())
    assert "this teacher is in no run: the folder around it has no config.yaml" in tell(alone)
    other.symlink_to(bench.corpus)
    voice, section = bench.voice("fastspeech"), {"name": "own", "dir": str(other)}
    assert checked_teacher(read_manifest(voice), voice, section, teacher / "model") is not None  # the same, by a link
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "wavs").mkdir(parents=True)
    (elsewhere / "metadata.csv").write_text("a|hello\n")
    assert "the teacher was trained on other recordings" in tell(teacher / "model", corpus=elsewhere)
    monkeypatch.chdir(teacher / "model")
    found = checked_teacher(read_manifest(voice), voice, section, Path("."))
    assert found is not None and found.run == teacher
    assert "Use --out" in refused(capsys, ["finetune", str(voice), str(bench.corpus), "--set", "run.dir=x"])[1]
    for name in ("audio", "text"):
        shutil.copytree(teacher, tmp_path / name / "run", symlinks=True)
        told = yaml.safe_load((teacher / "config.yaml").read_text())
        (tmp_path / name / "run" / "config.yaml").write_text(yaml.safe_dump(told | {name: "odd"}))
        assert "this teacher is in no run" in tell(tmp_path / name / "run" / "model")
    before = (teacher / "config.yaml").read_bytes()
    assert "the teacher lies in this folder" in tell(teacher / "model", out=teacher)
    assert (teacher / "config.yaml").read_bytes() == before and not out.exists()


@pytest.mark.parametrize("kind", CONFIGS)
def test_a_voice_of_another_kind_is_refused_before_anything_runs(bench: Bench, kind: str) -> None:
    other = "fastspeech2" if kind != "fastspeech2" else "transformer"
    with pytest.raises(ConfigErrors, match=rf"of another kind: {other}, and this recipe trains {kind}"):
        load(bench.tuned(kind) / "config.yaml", [f"init.voice={bench.voice(other)}"])


def test_a_refused_command_leaves_the_folder_as_it_was(
    bench: Bench, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Also where the folder was there and empty, or held the vocoder of an earlier run."""
    words = ["finetune", str(bench.voice("transformer")), str(bench.corpus), "--set", "train.max_steps=many", "--out"]
    empty, full = tmp_path / "empty", tmp_path / "full"
    empty.mkdir()
    (full / "vocoder").mkdir(parents=True)
    (full / "vocoder" / "config.json").write_text("{}")
    (full / "config.yaml").write_text("init: {voice: somewhere}\n")
    times = {path: path.stat().st_mtime_ns for path in full.rglob("*") if path.is_file()}
    for folder in (empty, full, tmp_path / "absent"):
        code, line = refused(capsys, [*words, str(folder)])
        assert code == 2 and "train.max_steps" in line
    assert not (tmp_path / "absent").exists() and list(empty.iterdir()) == []
    assert {path: path.stat().st_mtime_ns for path in full.rglob("*") if path.is_file()} == times


@pytest.mark.parametrize(
    "part",
    [HifiGanPart(config=HIFIGAN_V2, level_db=-9), IstftPart(config=IstftConfig(), level_db=-9)],
)
def test_the_voices_vocoder_goes_along(bench: Bench, tmp_path: Path, part: HifiGanPart | IstftPart) -> None:
    voice, run = tmp_path / "voice", tmp_path / "run"
    voice.mkdir()
    (voice / "vocoder.safetensors").write_bytes(b"weights")
    manifest = read_manifest(bench.voice("fastspeech2")).model_copy(update={"vocoder": part})
    section = vocoder_section(manifest, voice, run)
    path = run / "vocoder"
    assert section == {"type": part.type, "path": str(path)} and vocoder_problem(path, MEL_PRESETS[MEL]) is None
    read = (parse_istft_json if part.type == "istft" else parse_published_json)(
        json.loads((path / "config.json").read_text()), "config.json"
    )
    assert read == (part.config, manifest.mel.shape)
    assert (path / "generator.safetensors").read_bytes() == b"weights"
    before = {each: each.stat().st_mtime_ns for each in path.iterdir()}
    assert vocoder_section(manifest, voice, run) == section
    assert {each: each.stat().st_mtime_ns for each in path.iterdir()} == before
    content = configuration(Request(manifest, voice, {}, run, "x", 5), section)
    assert content["vocoder"] == section and content["audio"]["vocoder_level_db"] == -9


def test_a_voice_of_graphs_alone_is_refused(bench: Bench) -> None:
    manifest = read_manifest(bench.voice("fastspeech2"))
    assert weights_problem(manifest) == ""
    files = {name: digest for name, digest in manifest.files.items() if name != "acoustic.safetensors"}
    assert "it holds onnx graphs alone" in weights_problem(manifest.model_copy(update={"files": files}))


def test_the_configuration_of_a_run_under_way_is_left_alone(
    bench: Bench, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("init: {voice: somewhere}\n")
    with run_lock(tmp_path):
        words = ["finetune", str(bench.voice("fastspeech2")), str(bench.corpus), "--out", str(tmp_path)]
        code, line = refused(capsys, words)
    assert code == 6 and "another run is using this folder" in line
    assert config.read_text() == "init: {voice: somewhere}\n"


def test_sizes_and_schedules_of_every_kind(bench: Bench, tmp_path: Path) -> None:
    """For any number of steps the configuration holds together, and the sizes are the voice's."""
    for kind, known in KINDS.items():
        for steps in (1, known.steps):
            manifest = read_manifest(bench.voice(kind))
            request = Request(manifest, bench.voice(kind), {"name": "own", "dir": "."}, tmp_path, "x", steps)
            content = configuration(request, {"type": "griffinlim"})
            content |= {"teacher": {"model": "model"}} if kind == "fastspeech" else {}
            cfg: Any = find_recipe(known.recipe).config.model_validate(content)
            assert list(cfg.problems()) == [] and cfg.train.max_steps == steps
            assert cfg.model.hidden == 16 and cfg.train.optimizer.learning_rate == RATE
    broken = manifest.model_copy(update={"acoustic": manifest.acoustic.model_copy(update={"config": {}})})
    with pytest.raises(ArtifactError, match="does not say how large its model is: KeyError"):
        configuration(Request(broken, tmp_path, {}, tmp_path, "x", 1), {})


def test_a_voice_and_a_trunk_are_two_starts(bench: Bench) -> None:
    config, trunk = bench.tuned("fastspeech2s") / "config.yaml", bench.tuned("fastspeech2") / "model"
    with pytest.raises(ConfigErrors, match="init.voice has a trunk of its own"):
        load(config, [f"init.trunk={trunk}"])
    with pytest.raises(ConfigErrors, match="the trunk keeps the scales of the corpus"):
        load(config, ["init.voice=null", f"init.trunk={trunk}", "init.statistics=voice"])
    cfg = load(config, ["init.voice=null", f"init.trunk={trunk}"])[1]
    assert cfg.init.trunk == trunk and load(config, ["init=null"])[1].init is None


def test_the_digest_and_the_card_tell_of_a_trunk(bench: Bench) -> None:
    """A run that started from a trunk is another configuration than one that did not, or from another trunk."""
    from recipes.tts.fastspeech2s.train import start_trunk

    run, source = bench.tuned("fastspeech2s"), bench.tuned("fastspeech2") / "model"
    trunk: Any = build_model("fastspeech2", json.loads((source / "model.json").read_text())["config"])
    told = start_trunk(trunk, source)
    path = run / "model" / "transfer.json"
    text, digests = path.read_text(), [config_digest(run)]
    try:
        path.unlink()
        digests.append(config_digest(run))
        for content in (told.content, told.content | {"weights_sha256": "0" * 64}):
            Account(content).write(run / "model")
            digests.append(config_digest(run))
        assert len(set(digests)) == 4
        found = origin(run / "model")
        assert found is not None and found.source.corpus == "corpus"
        assert found.licence == "not stated; of voice old-fastspeech2: of-fastspeech2"  # the trunk's own voice counts
        assert command(resolved(run), found).endswith(
            "run.sh --set corpus.dir=CORPUS --set init.trunk=FASTSPEECH2_RUN/model"
        )
    finally:
        path.write_text(text)
    assert sorted(told.content["copied"]) == sorted(f"trunk.{name}" for name in load_file(source / "model.safetensors"))
    assert Origin("", "", VoiceSource(), "0", "corpus").in_words().startswith("a FastSpeech 2 (its trunk): recordings")
