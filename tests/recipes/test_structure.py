"""What it takes to add a corpus or a model: a few files of its own, and nothing anywhere else."""

from __future__ import annotations

import ast
import io
import json
import wave
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from recipes.tts.common.corpora import CORPORA, CorpusKind
from recipes.tts.fastspeech2 import RECIPE
from speechkd.config import load_config
from speechkd.data.corpus import Corpus, Utterance
from speechkd.runner import ItemStore, RunOptions, run_recipe

ROOT = Path(__file__).resolve().parents[2]


def read_odd_corpus(folder: Path) -> Corpus:
    """A layout that no recipe has heard of: one JSON object, recordings in `sound/`."""
    texts = json.loads((folder / "all.json").read_text())
    utterances = tuple(Utterance(id_, text, folder / "sound" / f"{id_}.wav", 1) for id_, text in sorted(texts.items()))
    return Corpus(folder, utterances, (), folder / "all.json", ())


def test_a_new_corpus_is_a_reader_and_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CORPORA, "odd", CorpusKind(read_odd_corpus))
    texts = {f"odd{i}": f"The number is {i}." for i in range(4)}
    (tmp_path / "odd" / "sound").mkdir(parents=True)
    (tmp_path / "odd" / "all.json").write_text(json.dumps(texts))
    for i, id_ in enumerate(texts):
        noise = np.random.default_rng(i).normal(0, 3000, 22_050 + 999 * i).clip(-32768, 32767)
        with wave.open(str(tmp_path / "odd" / "sound" / f"{id_}.wav"), "wb") as file:
            file.setparams((1, 2, 22_050, 0, "NONE", ""))
            file.writeframes(noise.astype("<i2").tobytes())
    (tmp_path / "conf.yaml").write_text(
        f"base: {ROOT}/recipes/tts/fastspeech2/conf/small.yaml\nrun: {{dir: run}}\n"
        "corpus: {name: odd, dir: odd}\nsplit: {valid: 1, test: 1}\npack: {name: odd}\n"
    )
    cfg = load_config(tmp_path / "conf.yaml", RECIPE.config)
    run_recipe(RECIPE, cfg, RunOptions(stop_stage="tokenize"), Console(file=io.StringIO()))
    tokens = ItemStore(tmp_path / "run" / "tokens")
    assert sorted(tokens.ids) == sorted(texts)
    assert [word["text"] for word in tokens.meta("odd3")["words"]][:2] == ["the", "number"]


def imported(path: Path) -> set[str]:
    """The names of all modules that a file imports, anywhere in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return names


def users_of(prefix: str) -> set[str]:
    """The files of the package and of the recipes that import a module or what is below it."""
    files = [path for top in ("speechkd", "recipes") for path in (ROOT / top).rglob("*.py")]
    return {
        path.relative_to(ROOT).as_posix()
        for path in files
        if any(name == prefix or name.startswith(prefix + ".") for name in imported(path))
    }


def test_a_model_is_known_to_its_family_and_to_those_who_speak() -> None:
    """The loop, the runner, the features, the texts and the losses work for any model."""
    allowed = ("speechkd/models/tts/", "recipes/tts/", "speechkd/synthesis/")
    strangers = [path for path in users_of("speechkd.models.tts") if not path.startswith(allowed)]
    assert strangers == []


def test_a_recipe_is_known_to_nobody() -> None:
    """Found by its name, never imported: a new one needs no line anywhere else, but where it builds on another."""
    built_on = {
        "fastspeech2": ("fastspeech2/", "fastspeech2s/", "prodiff/"),
        "transformer": ("transformer/", "fastspeech/"),
        "prodiff": ("prodiff/", "prodiff_claims/"),
    }
    for name in sorted(path.parent.name for path in (ROOT / "recipes" / "tts").glob("*/__init__.py")):
        if name != "common":
            known = tuple(f"recipes/tts/{each}" for each in built_on.get(name, (f"{name}/",)))
            assert [path for path in users_of(f"recipes.tts.{name}") if not path.startswith(known)] == [], name


def test_the_loop_serves_every_family() -> None:
    names = set().union(*(imported(path) for path in (ROOT / "speechkd" / "training").glob("*.py")))
    mine = {name for name in names if name.startswith(("speechkd", "recipes"))}
    assert mine and {name.split(".")[1] for name in mine} <= {"training", "runner", "config", "errors"}
