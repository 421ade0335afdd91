"""The command line: quick, clear, with the exit code of each kind of error."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from speechkd.cli import main as cli
from speechkd.cli import recipes as cli_recipes
from speechkd.config import Config, ConfigPath
from speechkd.errors import DataError
from speechkd.runner import Context, Recipe, stage
from tests.models.vocoder.tiny import wanted, write_generator

PROGRAM = [sys.executable, "-c", "import sys; from speechkd.cli.main import main; sys.exit(main())"]


class RunPart(Config):
    dir: ConfigPath


class SmallConfig(Config):
    recipe: str
    run: RunPart
    word: str = "hello"


@stage(outputs=("greeting",), uses=("word",))
def greet(cfg: Any, ctx: Context) -> None:
    if cfg.word == "bad":
        raise DataError("not a greeting", where="line 1")
    if cfg.word == "bug":
        raise KeyError("oops")
    if cfg.word == "stop":
        raise KeyboardInterrupt
    (ctx.output("greeting") / "text").write_text(cfg.word)


@stage(inputs=("greeting",), outputs=("answer",))
def answer(cfg: Any, ctx: Context) -> None:
    (ctx.output("answer") / "text").write_text("hi")


SMALL = Recipe("demo/small", SmallConfig, (greet, answer), lambda cfg: cfg.run.dir)


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A configuration of the small recipe, which the command line can find."""
    real = cli_recipes.find_recipe
    monkeypatch.setattr(cli_recipes, "find_recipe", lambda name: SMALL if name == "demo/small" else real(name))
    path = tmp_path / "a b" / "é.yaml"
    path.parent.mkdir()
    path.write_text("recipe: demo/small\nrun: {dir: run}\n", encoding="utf-8")
    return str(path)


def call(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Exit code, stdout, stderr."""
    code = cli.main(list(arguments))
    out, err = capsys.readouterr()
    return code, out, err


def test_help_is_quick_and_light() -> None:
    subprocess.run([*PROGRAM, "--help"], capture_output=True, check=True)
    best = min(_timed([*PROGRAM, "--help"]) for _ in range(5))
    assert best < 0.3, best
    probe = (
        "import sys; from speechkd.cli.main import main; main(['--help']); "
        "bad = {'torch', 'pydantic', 'numpy', 'typer', 'rich', 'yaml'} & set(sys.modules); sys.exit(bool(bad))"
    )
    assert subprocess.run([sys.executable, "-c", probe], capture_output=True).returncode == 0


def _timed(command: list[str]) -> float:
    start = time.monotonic()
    subprocess.run(command, capture_output=True, check=True)
    return time.monotonic() - start


def test_every_command_has_help(capsys: pytest.CaptureFixture[str]) -> None:
    code, page, _ = call(capsys, "--help")
    assert code == 0 and set(cli.COMMANDS) == {
        "run", "finetune", "synthesize", "speak", "serve", "export", "voices", "config", "data", "distill", "align",
        "doctor", "lipread", "new"
    }  # fmt: skip
    for name, command in cli.COMMANDS.items():
        assert f"  {name} " in page and command.help in page
        assert call(capsys, name, "--help")[0] == 0, name


@pytest.mark.parametrize("name", list(cli.COMMANDS))
def test_bad_options_are_usage_errors(capsys: pytest.CaptureFixture[str], name: str) -> None:
    code, _, err = call(capsys, name, "--no-such-option")
    assert code == 2 and "no-such-option" in err and "Traceback" not in err


def test_unknown_commands_are_guessed(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(capsys, "rnu") == (2, "", "error: unknown command 'rnu'. Did you mean run?\n")
    assert call(capsys, "--vresion")[0] == 2
    assert call(capsys)[0] == 2
    assert call(capsys, "--version")[1].startswith("speechkd ")


def test_run_list_and_rerun(capsys: pytest.CaptureFixture[str], config: str) -> None:
    assert call(capsys, "run", config, "--list")[1].splitlines() == [" 1  greet   missing", " 2  answer  missing"]
    assert call(capsys, "run", config, "--dry-run")[2].splitlines()[0] == "stage 1 greet: missing, would run"
    code, _, err = call(capsys, "run", config, "--stop-stage", "greet")
    assert code == 0 and err.startswith("stage 1 greet: missing, running\nstage 1 greet: done in ")
    assert call(capsys, "run", config, "--stage", "2", "--jobs", "2")[0] == 0
    listing = call(capsys, "run", config, "--list", "--set", "word=hey")[1].splitlines()
    assert listing == [" 1  greet   stale: word hello → hey", " 2  answer  stale: input greeting will be rebuilt"]
    code, _, err = call(capsys, "run", config, "--set", "word=hey")
    assert code == 0
    assert err.splitlines()[2] == "stage 2 answer: stale: input greeting changed, running"
    assert (Path(config).parent / "run/greeting/text").read_text() == "hey"
    assert call(capsys, "run", config, "--verify", "--list", "--set", "word=hey")[1].count("fresh") == 2
    assert call(capsys, "run", config, "--only", "answer", "--force", "--set", "word=hey")[0] == 0


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--set", "word=bad"], 3, "error: line 1: not a greeting\n"),
        (["--set", "word=bug"], 4, "error: stage 1 greet failed: KeyError: 'oops'. The traceback is in "),
        (["--set", "word=stop"], 130, ""),
        (["--set", "wrod=x"], 2, "error: --set wrod: wrod: unknown key; did you mean word?\n"),
        (["--set", "recipe=tts/nothing"], 2, "error: there is no recipe 'tts/nothing'"),
        (["--set", "recipe=../../etc"], 2, "Known: lipreading/compare, lipreading/pcpg, tts/claims"),
        (["--stage", "9"], 2, "error: recipe demo/small has no stage '9'. Its stages: 1 greet, 2 answer\n"),
        (["--stage", "2"], 2, "error: earlier stages are not up to date (1 greet: missing)"),
        (["--executor", "condor"], 2, "unknown executor"),
        (["--jobs", "0"], 2, ""),
    ],
)
def test_errors_are_one_line_with_their_code(
    capsys: pytest.CaptureFixture[str], config: str, arguments: list[str], code: int, words: str
) -> None:
    found, _, err = call(capsys, "run", config, *arguments)
    assert found == code and words in err and "Traceback" not in err, err
    assert sum(line.startswith("error:") for line in err.splitlines()) <= 1


def test_all_config_problems_are_listed(capsys: pytest.CaptureFixture[str], config: str) -> None:
    Path(config).write_text("recipe: demo/small\nrun: {dri: x}\nwodr: 3\n")
    code, _, err = call(capsys, "run", config)
    assert code == 2 and [line.rpartition("é.yaml:")[2].split(": ")[0] for line in err.splitlines()] == [
        "2:1",
        "2:7",
        "3:1",
    ]


def test_debug_shows_the_traceback(
    capsys: pytest.CaptureFixture[str], config: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "Traceback" in call(capsys, "run", config, "--set", "word=bug", "--debug")[2]
    monkeypatch.setenv("SPEECHKD_DEBUG", "1")
    assert "Traceback" in call(capsys, "run", config, "--set", "word=bug")[2]


@pytest.mark.parametrize("name", ["nowhere.yaml", "new\nline.yaml", ".", "/dev/null", "x" * 300])
def test_odd_config_paths(capsys: pytest.CaptureFixture[str], name: str, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    code, _, err = call(capsys, "run", name)
    assert code == 2 and err.startswith("error: ") and err.count("\n") == 1, err


def test_a_missing_package_names_the_extra(
    capsys: pytest.CaptureFixture[str], config: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lacking(*_: object) -> None:
        raise ModuleNotFoundError("No module named 'torch'", name="torch")

    monkeypatch.setattr(cli_recipes, "load", lacking)
    code, _, err = call(capsys, "run", config)
    assert code == 6 and "pip install 'speechkd[train]'" in err


def test_bugs_say_so(capsys: pytest.CaptureFixture[str], config: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise IndexError("list index out of range")

    monkeypatch.setattr(cli_recipes, "load", broken)
    code, _, err = call(capsys, "run", config)
    assert code == 1 and "this is a bug in speechkd: IndexError" in err and "Traceback" not in err


def test_config_commands(capsys: pytest.CaptureFixture[str], config: str, tmp_path: Path) -> None:
    code, out, _ = call(capsys, "config", "show", config, "--set", "word=x: y")
    assert code == 2  # not a value: a mapping is no word
    code, out, _ = call(capsys, "config", "show", config, "--set", "word=hey")
    assert code == 0 and yaml.safe_load(out)["word"] == "hey"
    assert json.loads(call(capsys, "config", "schema", config)[1])["additionalProperties"] is False
    assert json.loads(call(capsys, "config", "schema", "tts/fastspeech2")[1])["properties"]["run"]
    other = tmp_path / "a b" / "other.yml"
    other.write_text("recipe: demo/small\nrun: {dir: run}\nword: salut\n")
    assert call(capsys, "config", "diff", config, str(other)) == (0, "word: hello → salut\n", "")


def test_shipped_configs_load_and_every_field_of_their_schema_is_known(tmp_path: Path) -> None:
    root = Path(__file__).resolve().parents[2]
    paths = sorted(root.glob("egs/*/*/conf/**/*.yaml"))
    assert paths
    write_generator(tmp_path)
    for path in paths:
        recipe, cfg = cli_recipes.load(path, wanted(path, tmp_path))
        assert cfg.recipe == recipe.name


def test_doctor_is_quick_and_fails_on_what_is_needed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from speechkd.cli import doctor

    command = [*PROGRAM, "doctor"]
    subprocess.run(command, capture_output=True, check=False)
    start = time.monotonic()
    assert subprocess.run(command, capture_output=True).returncode == 0
    assert time.monotonic() - start < 2
    monkeypatch.setattr(doctor, "_write_problem", lambda folder: ": cannot write: Read-only file system")
    code, out, _ = call(capsys, "doctor")
    assert code == 6 and "LACKING  working folder" in out
    monkeypatch.undo()
    packages = {"": {"nothing-of-this-name": "nothing_of_this_name"}}
    monkeypatch.setattr(doctor, "_PACKAGES", packages)
    code, out, _ = call(capsys, "doctor")
    assert code == 6 and "LACKING  nothing-of-this-name" in out
    assert doctor._write_problem(tmp_path / "nowhere")


def test_new_makes_an_experiment_that_loads(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    corpus = tmp_path / "my: recordings #1 é"
    assert call(capsys, "new", "me", "--corpus", str(corpus))[0] == 3
    (corpus / "wavs").mkdir(parents=True)
    (corpus / "metadata.csv").write_text("a|hello\n")
    code, out, err = call(capsys, "new", "me", "--corpus", corpus.name)
    assert code == 0 and "egs/me/tts1/run.sh" in out, err
    _, cfg = cli_recipes.load(Path("egs/me/tts1/conf/fastspeech2.yaml"), [])
    assert cfg.corpus.dir == corpus and cfg.run.dir == tmp_path / "exp/me/fastspeech2" and cfg.pack.name == "me"
    assert os.access("egs/me/tts1/run.sh", os.X_OK)
    assert len(Path("egs/me/tts1/run.sh").read_text().splitlines()) <= 10
    assert call(capsys, "new", "me", "--corpus", str(corpus))[0] == 2
    for name in ("../x", "a/b", "", "-x", ".x", "x" * 65):
        assert call(capsys, "new", "--corpus", str(corpus), "--", name)[0] == 2, name


def test_closed_pipe_and_plain_locale(config: str) -> None:
    for command in ("--help", "doctor"):
        reader, writer = os.pipe()
        os.close(reader)
        done = subprocess.run([*PROGRAM, command], stdout=writer, stderr=subprocess.PIPE)
        os.close(writer)
        assert b"Traceback" not in done.stderr and b"Exception ignored" not in done.stderr and done.returncode == 1
    environment = {
        **os.environ,
        "LC_ALL": "C",
        "PYTHONUTF8": "0",
        "PYTHONCOERCECLOCALE": "0",
        "PYTHONIOENCODING": "ascii",
    }
    for arguments in (["--help"], ["run", "é.yaml"], ["run", "--help"], ["doctor"]):
        done = subprocess.run([*PROGRAM, *arguments], env=environment, capture_output=True)
        assert b"Traceback" not in done.stderr and done.returncode in (0, 2), done.stderr
