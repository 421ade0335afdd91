"""`speechkd finetune`: a voice goes on from where it was, on other sentences, with other speakers, and gains by it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from recipes.tts.common.corpora.mini import speak_mini_corpus
from recipes.tts.common.origin import Origin, licences
from recipes.tts.common.results import command, results_section
from recipes.tts.fastspeech2 import RECIPE
from speechkd.cli.main import main
from speechkd.config import ConfigErrors, load_config
from speechkd.models.tts.load import load_model
from speechkd.runner import RunOptions, list_stages, run_recipe
from speechkd.runner.records import RunFolder
from speechkd.synthesis.manifest import VoiceSource

ROOT = Path(__file__).resolve().parents[3]
N_OLD, N_NEW, STEPS = 8, 10, 20
FAST = {
    "train.device": "cpu", "train.precision": "fp32", "train.threads": "1", "score.recogniser": "false",
    "split.valid": "2", "split.test": "1", "align.backend": "given",
}  # fmt: skip
LIGHT = {"vocoder.type": "griffinlim", "vocoder.n_iter": "2"}


class Bench:
    """A voice of eight sentences, and two corpora of other ones: read by one, and by two speakers."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.voice = folder, folder / "old" / "voice"
        all_of_it = folder / "mini"
        all_of_it.mkdir()
        speak_mini_corpus(all_of_it, N_OLD + N_NEW)
        lines = (all_of_it / "metadata.csv").read_text().splitlines()
        self.one, self.two = folder / "one", folder / "two"
        for corpus in (self.one, self.two):
            (corpus / "wavs").mkdir(parents=True)
            for line in lines[N_OLD:]:
                shutil.copy(all_of_it / "wavs" / f"{line.split('|')[0]}.wav", corpus / "wavs")
        (self.one / "metadata.csv").write_text("\n".join(lines[N_OLD:]) + "\n")
        rows = [line.split("|") for line in lines[N_OLD:]]
        table = [f"{id_}|{('ann', 'bob')[place % 2]}|{text}" for place, (id_, text, *_) in enumerate(rows)]
        (self.two / "metadata.tsv").write_text("id|speaker|text\n" + "\n".join(table) + "\n")
        self.grids = all_of_it / "TextGrid"
        self._make_voice()

    def _make_voice(self) -> None:
        fft = "{layers: 1, heads: 1, conv_channels: 32, conv_kernel: 3}"
        config = self.folder / "old.yaml"
        config.write_text(
            f"""
base: {ROOT}/egs/mini/tts1/conf/fastspeech2.yaml
run: {{dir: old}}
corpus: {{limit: {N_OLD}}}
align: {{folder: mini/TextGrid}}
model: {{hidden: 24, encoder: {fft}, decoder: {fft}, predictor: {{channels: 16}}}}
train: {{max_steps: 120, schedule: {{warmup_steps: 10}}, valid_every_steps: 60, checkpoint_every_steps: 60}}
"""
        )
        cfg = load_config(config, RECIPE.config, [f"{key}={value}" for key, value in (FAST | LIGHT).items()])
        run_recipe(RECIPE, cfg, RunOptions(stop_stage="pack"), Console(quiet=True))

    def finetune(self, corpus: Path, name: str, *arguments: str, voice: Path | None = None, steps: int = STEPS) -> Path:
        """Run the command; returns the run's folder."""
        sets = [part for key, value in FAST.items() for part in ("--set", f"{key}={value}")]
        where = ["--set", f"align.folder={self.grids}", "--jobs", "1", "--steps", str(steps), *sets]
        out = self.folder / name
        assert main(["finetune", str(voice or self.voice), str(corpus), "--out", str(out), *where, *arguments]) == 0
        return out


def validation(run: Path) -> list[dict[str, Any]]:
    rows = [json.loads(line) for line in (run / "model" / "history.jsonl").read_text().splitlines()]
    return [row for row in rows if row["kind"] == "valid"]


def transfer(run: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((run / "model" / "transfer.json").read_text())
    return content


def results_facts(cfg: Any, run: Path) -> Any:
    """What the table says of a finished run."""
    folder = RunFolder(run)
    return results_section(cfg, SimpleNamespace(input=folder.artifact, record=folder.read_record)).facts  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    pytest.importorskip("espeakng_loader")
    return Bench(tmp_path_factory.mktemp("finetune"))


@pytest.fixture(scope="module")
def tuned(bench: Bench) -> Path:
    """The voice fine-tuned on one speaker."""
    return bench.finetune(bench.one, "tuned")


@pytest.fixture(scope="module")
def paired(bench: Bench) -> Path:
    """The voice fine-tuned on two speakers."""
    return bench.finetune(bench.two, "paired", steps=4)


def test_the_voice_and_the_account_of_its_origin(bench: Bench, tuned: Path) -> None:
    old, new = (json.loads((run / "voice" / "voice.json").read_text()) for run in (bench.voice.parent, tuned))
    assert new["acoustic"]["config"]["network"] == old["acoustic"]["config"]["network"] and new["mel"] == old["mel"]
    assert new["name"] == "mini-one"
    account = transfer(tuned)
    assert account["weights_sha256"] == old["files"]["acoustic.safetensors"] and account["voice"] == "mini"
    assert account["values"]["given"] == account["values"]["all"] and account["others"] == []
    weights = [load_model(run / "model").state_dict() for run in (bench.voice.parent, tuned)]
    assert account["copied"] == sorted(weights[1]) == sorted(weights[0])
    assert any(not weights[0][name].equal(weights[1][name]) for name in weights[0])
    assert "starts from voice mini" in (tuned / "logs" / "05_train.log").read_text()
    assert [row["step"] for row in validation(tuned)][-1] == STEPS


def test_fine_tuning_beats_training_from_scratch(bench: Bench, tuned: Path) -> None:
    """After as many steps, also where training from scratch has the rate that the voice was trained with."""
    for rate in ("2e-4", "2e-3"):
        run = bench.folder / f"scratch{rate}"
        changes = [f"run.dir={run}", f"run.base={tuned}", "init=null", f"train.optimizer.learning_rate={rate}"]
        cfg = load_config(tuned / "config.yaml", RECIPE.config, changes)
        run_recipe(RECIPE, cfg, RunOptions(stop_stage="train"), Console(quiet=True))
        assert (run / "features" / "stats.json").samefile(tuned / "features" / "stats.json")
        assert not (run / "model" / "transfer.json").exists()
        scratch, better = validation(run)[-1], validation(tuned)[-1]
        assert better["loss"] < 0.8 * scratch["loss"] and better["mel"] < scratch["mel"], rate


def test_the_run_can_be_run_again(bench: Bench, tuned: Path) -> None:
    config = tuned / "config.yaml"
    before = {path: path.stat().st_mtime_ns for path in tuned.rglob("*")}
    assert {each.state for each in list_stages(RECIPE, load_config(config, RECIPE.config))} == {"fresh"}
    assert main(["run", str(config)]) == 0
    assert {path: path.stat().st_mtime_ns for path in tuned.rglob("*")} == before
    bench.finetune(bench.one, "tuned")
    assert {path for path in tuned.rglob("*") if path.stat().st_mtime_ns != before.get(path)} <= {tuned, config}


def test_another_voice_in_its_place_makes_the_training_stale(bench: Bench, tuned: Path) -> None:
    other = bench.folder / "other_voice"
    shutil.copytree(bench.voice, other)
    cfg = load_config(tuned / "config.yaml", RECIPE.config, [f"init.voice={other}"])
    assert {each.name: each.text for each in list_stages(RECIPE, cfg)}["train"] == "fresh"  # only its place is new
    (other / "card.md").write_text("changed")
    cfg = load_config(tuned / "config.yaml", RECIPE.config, [f"init.voice={other}"])
    assert {each.name: each.text for each in list_stages(RECIPE, cfg)}["train"].startswith("stale: init.voice ")


def test_an_interrupted_run_resumes_its_own_state(bench: Bench, tuned: Path) -> None:
    """Resuming takes the checkpoint, not the voice again: the same bytes as without the interruption."""
    from recipes.tts.fastspeech2.task import FastSpeech2Task

    seen: list[int] = []
    losses = FastSpeech2Task.losses

    def stopping(self: Any, model: Any, batch: Any, step: int = 0) -> Any:
        seen.append(step)
        if model.training and step == STEPS - 3 and seen.count(step) == 1:
            raise KeyboardInterrupt
        return losses(self, model, batch, step)

    run = bench.folder / "again"
    cfg = load_config(tuned / "config.yaml", RECIPE.config, [f"run.dir={run}", f"run.base={tuned}"])
    (run / "keep").mkdir(parents=True)
    cfg_alone = load_config(tuned / "config.yaml", RECIPE.config, [f"run.dir={run}"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FastSpeech2Task, "losses", stopping)
        run_recipe(RECIPE, cfg, RunOptions(stop_stage="extract"), Console(quiet=True))
        with pytest.raises(KeyboardInterrupt):
            run_recipe(RECIPE, cfg_alone, RunOptions(stop_stage="train"), Console(quiet=True))
    first = len(seen)
    run_recipe(RECIPE, cfg_alone, RunOptions(stop_stage="train"), Console(quiet=True))
    assert first > 0
    for name in ("model.safetensors", "history.jsonl", "transfer.json"):
        assert (run / "model" / name).read_bytes() == (tuned / "model" / name).read_bytes(), name


def test_one_speaker_becomes_two(bench: Bench, paired: Path) -> None:
    account = transfer(paired)
    assert [note["tensor"] for note in account["others"]] == ["speaker_embedding.weight"]
    model = load_model(paired / "model")
    assert model.config.speakers == ("ann", "bob") and model.speaker_embedding.weight.shape == (2, 24)
    assert "the voice has one speaker" in (paired / "logs" / "05_train.log").read_text()


@pytest.mark.parametrize("speaker", ["", "bob"])
def test_two_speakers_become_one_again(bench: Bench, paired: Path, speaker: str) -> None:
    arguments = ["--speaker", speaker] if speaker else []
    cfg_run = bench.finetune(bench.one, f"back{speaker}", *arguments, voice=paired / "voice", steps=2)
    assert load_model(cfg_run / "model").config.speakers == ()
    (note,) = transfer(cfg_run)["others"]
    start = speaker or "the mean of the voice's 2 speakers"
    assert note["action"] == "moved" and f"the vector of {start} is added to encoder." in note["reason"]


def test_statistics_of_the_voice(bench: Bench, tuned: Path) -> None:
    old = load_model(bench.voice.parent / "model").config.statistics
    assert load_model(tuned / "model").config.statistics != old
    run = bench.folder / "scaled"
    changes = [f"run.dir={run}", f"run.base={tuned}", "init.statistics=voice", "train.max_steps=2"]
    changes += ["train.schedule.warmup_steps=1", "train.valid_every_steps=2"]
    cfg = load_config(tuned / "config.yaml", RECIPE.config, changes)
    run_recipe(RECIPE, cfg, RunOptions(stop_stage="train"), Console(quiet=True))
    assert load_model(run / "model").config.statistics == old and transfer(run)["statistics"] == "voice"


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    code = main(["finetune", *arguments])
    return code, capsys.readouterr().err


def test_what_cannot_be_fine_tuned_is_told_at_once(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    out = bench.folder / "refused"
    rest = (str(bench.one), "--out", str(out))
    code, line = refused(capsys, str(bench.one), *rest)
    assert code == 5 and "not a voice: there is no voice.json in it" in line
    other = bench.folder / "another_kind"
    shutil.copytree(bench.voice, other)
    content = json.loads((other / "voice.json").read_text())
    content["acoustic"]["model"] = "tacotron"
    (other / "voice.json").write_text(json.dumps(content))
    code, line = refused(capsys, str(other), *rest)
    assert code == 2 and "voices of this kind cannot be fine-tuned: tacotron, not fastspeech, " in line
    code, line = refused(capsys, str(bench.voice), *rest, "--set", "audio.mel=hifigan_16k")
    assert code == 2 and "init.voice" in line and "another mel preset: hifigan_22k, and audio.mel is" in line
    code, line = refused(capsys, str(bench.voice), *rest, "--speaker", "ann")
    assert code == 2 and "init.speaker" in line and "it has one speaker only" in line
    code, line = refused(capsys, str(bench.voice), str(bench.folder / "nothing"))
    assert code == 2 and "there is no such corpus" in line
    assert not out.exists()
    (out / "thesis").mkdir(parents=True)
    code, line = refused(capsys, str(bench.voice), *rest)
    assert code == 2 and "this is not the folder of a run" in line and [*out.iterdir()] == [out / "thesis"]


def test_a_configuration_with_a_wrong_voice_is_told_at_once(bench: Bench, tuned: Path) -> None:
    def problems(*changes: str) -> str:
        with pytest.raises(ConfigErrors) as caught:
            load_config(tuned / "config.yaml", RECIPE.config, changes)
        return str(caught.value)

    assert "not a voice" in problems(f"init.voice={bench.one}")
    assert "which is not given" in problems("init.voice=null", "init.speaker=ann")
    cfg: Any = load_config(tuned / "config.yaml", RECIPE.config, ["init.voice=null"])
    assert cfg.init.voice is None


def test_a_damaged_voice_is_refused(bench: Bench, tuned: Path) -> None:
    broken = bench.folder / "broken"
    shutil.copytree(bench.voice, broken)
    raw = bytearray((broken / "acoustic.safetensors").read_bytes())
    raw[-1] ^= 1
    (broken / "acoustic.safetensors").write_bytes(raw)
    from recipes.tts.common.init import InitSection, open_start
    from speechkd.errors import ArtifactError

    with pytest.raises(ArtifactError, match="damaged"):
        open_start(InitSection(voice=broken))
    assert open_start(None) is None and open_start(InitSection()) is None


def test_card_table_and_voice_name_the_voice_it_started_from(bench: Bench, tuned: Path) -> None:
    licence = json.loads((bench.voice / "voice.json").read_text())["source"]["licence"]
    assert licence == transfer(tuned)["source"]["licence"] == "Apache-2.0"
    words = f"voice mini: {transfer(tuned)['source']['corpus']}; licence: Apache-2.0"
    assert f"| fine-tuned from | {words} |" in (tuned / "voice" / "card.md").read_text()
    assert "fine-tuned" not in (bench.voice / "card.md").read_text()
    new = json.loads((tuned / "voice" / "voice.json").read_text())["source"]
    assert new["licence"] == "not stated; of voice mini: Apache-2.0"
    table = (tuned / "results" / "RESULTS.md").read_text()
    assert f"- command: `speechkd finetune mini CORPUS --steps {STEPS}`" in table and "run.sh" not in table
    assert f"- fine-tuned from: {words}" in table and "speechkd run RUN/config.yaml" in table


def test_the_digest_tells_what_training_started_from(tuned: Path) -> None:
    """The same settings from another voice are another configuration."""
    cfg: Any = load_config(tuned / "config.yaml", RECIPE.config)
    facts = dict(results_facts(cfg, tuned))
    path = tuned / "model" / "transfer.json"
    text = path.read_text()
    try:
        path.write_text(json.dumps(json.loads(text) | {"weights_sha256": "0" * 64}))
        assert dict(results_facts(cfg, tuned))["config digest"] != facts["config digest"]
    finally:
        path.write_text(text)


def test_a_voice_without_an_account_of_its_source() -> None:
    """transfer.json of earlier versions, and a voice of several."""
    start = Origin("old voice", "ann", VoiceSource(), "0" * 64, "corpus")
    assert start.in_words() == "voice old voice, speaker ann: recordings not stated; licence: not stated"
    corpus = SimpleNamespace(name="own", dir=None)
    cfg = SimpleNamespace(recipe="tts/fastspeech2", corpus=corpus, train=SimpleNamespace(max_steps=5))
    assert command(cfg, start) == "speechkd finetune 'old voice' own --steps 5 --speaker ann"
    assert licences("CC0-1.0", None) == "CC0-1.0"
    assert licences("CC0-1.0", start) == "CC0-1.0; of voice old voice: not stated"


def test_no_run_is_replaced_by_its_own_child(bench: Bench, tuned: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for run in (bench.voice.parent, tuned):
        before = (run / "config.yaml").read_bytes()
        code, line = refused(capsys, str(run / "voice"), str(bench.one), "--out", str(run))
        assert code == 2 and "would replace the voice that it starts from" in line
        assert (run / "config.yaml").read_bytes() == before
    code, line = refused(capsys, str(tuned / "voice"), str(bench.one), "--out", str(bench.voice.parent))
    assert code == 2 and "this is the folder of another run" in line


def test_a_voice_that_lacks_a_file_leaves_nothing_behind(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    lacking, out = bench.folder / "lacking", bench.folder / "never"
    shutil.copytree(bench.voice, lacking)
    (lacking / "acoustic.safetensors").unlink()
    code, line = refused(capsys, str(lacking), str(bench.one), "--out", str(out))
    assert code == 5 and "a file of the voice is missing" in line and not out.exists()
