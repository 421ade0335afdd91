"""`speechkd distill explain`: the table of a recipe, for a person and for a pipe."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import recipes
from speechkd.cli import main as cli
from speechkd.cli.recipes import find_recipe, known_recipes, load
from tests.models.vocoder.tiny import wanted, write_generator

ROOT = Path(__file__).resolve().parents[2]
RECIPE = """
from pathlib import Path
from speechkd.config import Config
from speechkd.distill.objective import TermSpec
from speechkd.distill.plan import DistillationPlan
from speechkd.distill.schedules import Weight
from speechkd.distill.targets import TargetSpec
from speechkd.runner import Recipe, stage

class Demo(Config):
    recipe: str
    kd: Weight = 1.0
    stored: bool = True
    reads: str = "logits"

@stage(outputs=("out",))
def only(cfg, ctx):
    ctx.output("out")

def PLAN(cfg):
    targets = (TargetSpec("logits", ("class",), "float32"), TargetSpec("hints", ("patch", "feature"), "float16"))
    terms = (
        TermSpec("label", "-log p[label]", ("logits",), batch=("label",)),
        TermSpec("kd", "KL(softmax(t) ‖ softmax(z)) [τ = 4]", ("logits",), (cfg.reads,), cfg.kd),
    )
    return DistillationPlan("ResNet-34", "ResNet-18", cfg.stored, targets, terms, ("one view per image",))

RECIPE = Recipe("demo_kd/student", Demo, (only,), lambda cfg: Path("run"))
"""


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A configuration of a recipe that lies in a folder of its own, as those of others may."""
    folder = tmp_path / "demo_kd" / "student"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text(RECIPE, encoding="utf-8")
    (tmp_path / "demo_kd" / "__init__.py").write_text("")
    monkeypatch.setattr(recipes, "__path__", [*recipes.__path__, str(tmp_path)])
    for name in ("recipes.demo_kd", "recipes.demo_kd.student"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    path = tmp_path / "conf.yaml"
    path.write_text("recipe: demo_kd/student\n")
    return str(path)


def call(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = cli.main(list(arguments))
    out, err = capsys.readouterr()
    return code, out, err


def test_the_table_names_the_feeder_of_every_term(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = call(capsys, "distill", "explain", config)
    lines = [line.rstrip() for line in out.splitlines()]
    assert code == 0 and lines[:2] == [
        "demo_kd/student: ResNet-34 → ResNet-18",
        "targets stored: made before the training, read by id",
    ]
    cells = [[cell for cell in line.split("  ") if cell.strip()] for line in lines[3:6]]
    assert [[cell.strip() for cell in row] for row in cells] == [
        ["term", "weight", "from the student", "from the teacher (stored)", "from the batch", "equation"],
        ["label", "1", "logits", "nothing", "label", "-log p[label]"],
        ["kd", "1", "logits", "logits (class) float32", "nothing", "KL(softmax(t) ‖ softmax(z)) [τ = 4]"],
    ]
    assert lines[7:] == ["read by no term: hints (patch, feature) float16", "note: one view per image"]


def test_the_table_follows_the_configuration(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    overrides = ("--set", "kd={name: ramp, from_step: 100, to_step: 500}", "--set", "stored=false")
    code, out, _ = call(capsys, "distill", "explain", config, *overrides)
    assert code == 0 and "0 → 1, steps 100 to 500" in out
    assert "targets live: asked at every step" in out and "from the teacher (live)" in out
    code, out, _ = call(capsys, "distill", "explain", config, "--set", "kd=0")
    assert code == 0 and "0, not computed" in out


def test_a_plan_that_cannot_work_is_an_error(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = call(capsys, "distill", "explain", config, "--set", "reads=logit")
    assert code == 2 and out == ""
    assert err == (
        "error: the term kd reads the target logit, which nobody makes. "
        "Did you mean logits? ResNet-34 makes logits, hints\n"
    )


def test_a_recipe_without_a_teacher_names_those_that_have_one(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = call(capsys, "distill", "explain", str(ROOT / "egs/mini/tts1/conf/transformer.yaml"))
    assert code == 2 and out == ""
    assert err.startswith("error: the recipe tts/transformer has no teacher. With a teacher: ")
    assert "demo_kd/student" in err and "tts/transformer" not in err.partition("With a teacher")[2]


def plan_of(name: str) -> Any:
    find_recipe(name)
    return getattr(sys.modules["recipes." + name.replace("/", ".")], "PLAN", None)


def test_every_shipped_recipe_with_a_teacher_can_be_explained(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    write_generator(tmp_path)
    explained = set()
    for path in sorted((ROOT / "egs").rglob("conf/**/*.yaml")):
        overrides = wanted(path, tmp_path)
        recipe, cfg = load(path, overrides)
        if plan_of(recipe.name) is None:
            continue
        code, out, _ = call(capsys, "distill", "explain", str(path), *(f"--set={each}" for each in overrides))
        assert code == 0
        for term in plan_of(recipe.name)(cfg).terms:
            assert any(line.startswith(f"{term.name} ") and term.equation in line for line in out.splitlines())
        explained.add(recipe.name)
    assert explained == {name for name in known_recipes() if plan_of(name) is not None}
    assert "tts/fastspeech" in explained


def test_it_is_light(config: str) -> None:
    probe = (
        "import sys, recipes; recipes.__path__ = [*recipes.__path__, sys.argv[1]];"
        "from speechkd.cli.main import main;"
        "code = main(['distill', 'explain', sys.argv[2]]); sys.exit(code or ('torch' in sys.modules) * 99)"
    )
    done = subprocess.run([sys.executable, "-c", probe, str(Path(config).parent), config], capture_output=True)
    assert done.returncode == 0, done.stderr
    assert "ResNet-34 → ResNet-18" in done.stdout.decode()


def test_without_a_teacher_there_are_no_targets(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = call(capsys, "distill", "explain", str(ROOT / "egs/mini/tts1/conf/prodiff_teacher.yaml"))
    lines = out.splitlines()
    assert code == 0 and "nobody" in lines[0] and lines[1].strip() == "no targets"
    assert {line.split()[0] for line in lines[4:] if line.strip()} == {"l1", "ssim", "duration", "pitch", "energy"}
