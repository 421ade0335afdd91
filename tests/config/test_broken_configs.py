"""Everything that is wrong with a configuration is said at once, with its line and column."""

from __future__ import annotations

import os
import pickle
import random
import string
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import Field

from speechkd.config import Config, ConfigErrors, ConfigPath, load_config
from speechkd.config.schema import field_paths


class Sgd(Config):
    name: Literal["sgd"]
    momentum: float = Field(0.9, ge=0, lt=1)


class Adam(Config):
    name: Literal["adamw"]
    learning_rate: float = Field(1e-3, gt=0, description="step size")


class Mel(Config):
    hop_samples: int = 256
    win_samples: int = 1024

    def problems(self) -> Iterable[tuple[str, str]]:
        if self.win_samples % self.hop_samples:
            yield "hop_samples", f"does not divide the window of {self.win_samples}"


class Run(Config):
    dir: ConfigPath = Field(description="folder of the run")
    seed: int = Field(0, ge=0)


class Root(Config):
    run: Run
    optimizer: Annotated[Sgd | Adam, Field(discriminator="name")] = Adam(name="adamw")
    mel: Mel = Mel()
    backend: Literal["pocketsphinx", "mfa"] = "pocketsphinx"
    epochs: int | Literal["auto"] = 1
    betas: tuple[float, float] = (0.9, 0.98)
    limits: dict[str, int] = Field(default_factory=dict)

    def problems(self) -> Iterable[tuple[str, str]]:
        if self.epochs == 0:
            yield "epochs", "nothing to do"
        if self.run.seed == 13:
            yield "run.seed", "is unlucky"


GOOD = "run: {dir: exp}\n"


def problems_of(folder: Path, text: str, *overrides: str) -> list[str]:
    """The messages, without the folder."""
    path = folder / "c.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigErrors) as caught:
        load_config(path, Root, overrides)
    assert caught.value.exit_code == 2
    assert str(caught.value).splitlines() == [str(problem) for problem in caught.value.problems]
    return [line.replace(f"{folder}{os.sep}", "") for line in str(caught.value).splitlines()]


CASES = {
    "unknown key": (
        GOOD + "mel:\n  hop_sample: 3\n",
        "c.yaml:3:3: mel.hop_sample: unknown key; did you mean hop_samples?",
    ),
    "elsewhere": (
        GOOD + "learning_rate: 3\n",
        "c.yaml:2:1: learning_rate: unknown key; did you mean optimizer.learning_rate?",
    ),
    "type": (
        GOOD + "mel: {hop_samples: abc}\n",
        "c.yaml:2:20: mel.hop_samples: should be a valid integer, unable to parse",
    ),
    "bool as int": (
        GOOD + "mel: {win_samples: true, hop_samples: 1}\n",
        "c.yaml:2:20: mel.win_samples: should be a number, got true",
    ),
    "range": ("run:\n  dir: x\n  seed: -1\n", "c.yaml:3:9: run.seed: should be greater than or equal to 0, got -1"),
    "nan": (
        GOOD + "optimizer: {name: adamw, learning_rate: .nan}\n",
        "c.yaml:2:41: optimizer.learning_rate: should be a finite number",
    ),
    "missing": ("run: {seed: 1}\n", "c.yaml:1:1: run.dir: this key is missing (folder of the run)"),
    "missing section": ("epochs: 3\n", "c.yaml:1:1: run: this key is missing"),
    "empty file": ("", "c.yaml:1:1: run: this key is missing"),
    "section": ("run: 3\n", "c.yaml:1:6: run: should be a section of `key: value` lines, got 3"),
    "literal": (GOOD + "backend: mfaa\n", "c.yaml:2:10: backend: should be 'pocketsphinx' or 'mfa'; did you mean mfa?"),
    "tag": (
        GOOD + "optimizer: {name: adam}\n",
        'c.yaml:2:19: optimizer.name: should be one of sgd, adamw, got "adam"; did you mean adamw?',
    ),
    "no tag": (GOOD + "optimizer: {momentum: 0.1}\n", "c.yaml:2:1: optimizer.name: this key is missing"),
    "in the choice": (
        GOOD + "optimizer: {name: sgd, momentum: 2}\n",
        "c.yaml:2:34: optimizer.momentum: should be less than 1, got 2",
    ),
    "extra in the choice": (
        GOOD + "optimizer: {name: sgd, momentun: 2}\n",
        "c.yaml:2:24: optimizer.momentun: unknown key; did you mean momentum?",
    ),
    "plain union": (GOOD + "epochs: x\n", "c.yaml:2:9: epochs: should be a valid integer"),
    "in a list": (GOOD + "betas: [0.9, x]\n", "c.yaml:2:14: betas.1: should be a valid number"),
    "too long": (GOOD + "betas: [1, 2, 3]\n", "c.yaml:2:8: betas"),
    "in a dict": (GOOD + "limits: {a: x}\n", "c.yaml:2:13: limits.a: should be a valid integer"),
    "duplicate": (GOOD + "epochs: 1\nepochs: 2\n", "c.yaml:3:1: epochs: duplicate key, first given at c.yaml:2:1"),
    "nested duplicate": ("run: {dir: x, seed: 1, seed: 2}\n", "c.yaml:1:24: run.seed: duplicate key"),
    "cross": (GOOD + "mel: {hop_samples: 300}\n", "c.yaml:2:20: mel.hop_samples: does not divide the window of 1024"),
    "cross by a default": ("run: {dir: x, seed: 13}\n", "c.yaml:1:21: run.seed: is unlucky"),
    "syntax": ("run: {dir: x\n", "c.yaml:2:1: not valid YAML"),
    "tab": ("run:\n\tdir: x\n", "c.yaml:2:1: not valid YAML"),
    "not a mapping": ("- 1\n", "c.yaml:1:1: a configuration is a mapping"),
    "object tag": (GOOD + "mel: !!python/object:os.system {}\n", "c.yaml:2:6: mel: the tag"),
    "scalar tag": (GOOD + "backend: !!python/name:os.system ''\n", "c.yaml:2:10: backend: the tag"),
    "merge key": (GOOD + "mel: {<<: {hop_samples: 3}}\n", "c.yaml:2:7: mel: merge keys are not supported"),
    "list as key": (GOOD + "[1, 2]: 3\n", "c.yaml:2:1: a key must be plain text"),
    "two documents": (GOOD + "---\n" + GOOD, "c.yaml:2:1: not valid YAML"),
    "self alias": (GOOD + "betas: &a [*a, 1]\n", "an alias refers to itself"),
    "control character": ("run: {dir: 'a\x07'}\n", "c.yaml:1:14: not valid YAML: the character"),
    "huge int": (GOOD + f"epochs: {'9' * 5000}\n", "is not a valid int"),
    "deep": ("a: " + "[" * 5000, "nested too deeply"),
    "empty path": ("run: {dir: ''}\n", "c.yaml:1:12: run.dir: a path may not be empty"),
    "base is not a file name": (GOOD + "base: {a: 1}\n", "c.yaml:2:7: base: expected a file name"),
    "base is missing": (GOOD + "base: nowhere.yaml\n", "c.yaml:2:7: base: nowhere.yaml: cannot be read: No such file"),
}


@pytest.mark.parametrize("name", CASES)
def test_one_problem(tmp_path: Path, name: str) -> None:
    text, expected = CASES[name]
    found = problems_of(tmp_path, text)
    assert any(expected in line for line in found), found


def test_all_problems_in_one_pass(tmp_path: Path) -> None:
    text = (
        "rnu: {dir: exp}\n"  # 1 unknown, and run is missing
        "epochs: 0\n"  # cross-field
        "epochs: 0\n"  # duplicate
        "backend: espeak\n"
        "mel:\n"
        "  hop_samples: 300\n"  # cross-field in a sound section
        "betas: [a, b]\n"
        "optimizer: {name: adamw, learning_rate: -1}\n"
    )
    found = problems_of(tmp_path, text, "mel.wi=3", "nonsense", "epochs=[")
    assert sum("unknown key" in line for line in found) == 2
    for part in (
        "c.yaml:1:1: rnu", "c.yaml:1:1: run: this key is missing", "c.yaml:2:9: epochs: nothing to do",
        "c.yaml:3:1: epochs: duplicate", "c.yaml:4:10: backend", "betas.0", "betas.1", "c.yaml:8:41: optimizer.le",
        "--set mel.wi: mel.wi: unknown key", "--set nonsense: expected KEY=VALUE", "--set epochs: not valid YAML",
    ):  # fmt: skip
        assert any(part in line for line in found), (part, found)


def test_a_wrong_value_silences_only_the_checks_that_read_it(tmp_path: Path) -> None:
    found = problems_of(tmp_path, GOOD + "mel: {hop_samples: x}\nepochs: 0\n")
    assert len(found) == 2 and "epochs: nothing to do" in found[1]
    # The mistyped key was probably meant for hop_samples: its default must not be judged.
    found = problems_of(tmp_path, GOOD + "mel: {hop_sampels: 500, win_samples: 1000}\n")
    assert len(found) == 1


def test_overrides_are_located_by_their_option(tmp_path: Path) -> None:
    found = problems_of(tmp_path, GOOD, "run.seed=-1", "mel.hop_samples=7")
    assert found == [
        "--set mel.hop_samples: mel.hop_samples: does not divide the window of 1024",
        "--set run.seed: run.seed: should be greater than or equal to 0, got -1",
    ]


def test_base_cycle_names_the_chain(tmp_path: Path) -> None:
    (tmp_path / "b.yaml").write_text("base: c.yaml\n")
    found = problems_of(tmp_path, GOOD + "base: b.yaml\n")
    assert len(found) == 1 and "b.yaml:1:7: base: the files are based on each other: " in found[0]
    assert found[0].count("→") == 2


def test_problems_in_a_base_are_located_there(tmp_path: Path) -> None:
    (tmp_path / "b.yaml").write_text("epochs: 1\nmel: {hop_samples: 300}\nepochs: 1\n")
    found = problems_of(tmp_path, GOOD + "base: b.yaml\n")
    assert [line.split(": ")[0] for line in found] == ["b.yaml:2:20", "b.yaml:3:1"]


@pytest.mark.parametrize("kind", ["missing", "folder", "fifo", "latin1", "large"])
def test_unreadable_files(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "c.yaml"
    if kind == "folder":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "latin1":
        path.write_bytes(b"run: {dir: x}\nbackend: \xe9\n")
    elif kind == "large":
        path.write_bytes(b"# " + b"x" * 1_000_000)
    with pytest.raises(ConfigErrors) as caught:
        load_config(path, Root)
    assert len(caught.value.problems) == 1 and "c.yaml" in str(caught.value)
    if kind == "latin1":
        assert ":2:10: not UTF-8" in str(caught.value)


def test_alias_bomb_is_refused_quickly(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 9)]
    assert any("more than 100000 values" in line for line in problems_of(tmp_path, "\n".join(lines)))


def test_errors_survive_a_process_border(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("x: 1\n")
    with pytest.raises(ConfigErrors) as caught:
        load_config(tmp_path / "c.yaml", Root)
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)  # noqa: S301


def test_did_you_mean_finds_single_letter_typos(tmp_path: Path) -> None:
    """Every key of the schema, 30 random one-letter mistakes each: at least 90 % are understood."""
    generator = random.Random(0)
    right = total = 0
    for dotted, _ in field_paths(Root):
        *section, key = dotted.split(".")
        for _ in range(30):
            typo = _mistype(key, generator)
            tag = {"momentum": "sgd", "learning_rate": "adamw"}.get(key)
            if typo == key or key == "name" or key in ("run", "dir"):
                continue
            line = f"{section[0]}: {{{'name: ' + tag + ', ' if tag else ''}{typo}: 1}}\n" if section else f"{typo}: 1\n"
            text = line if section[:1] == ["run"] else GOOD + line
            total += 1
            right += any(f"unknown key; did you mean {key}?" in each for each in problems_of(tmp_path, text))
    assert total > 200 and right / total >= 0.9, (right, total)


def _mistype(word: str, generator: random.Random) -> str:
    index, letter = generator.randrange(len(word)), generator.choice(string.ascii_lowercase)
    return generator.choice(
        [
            word[:index] + letter + word[index + 1 :],
            word[:index] + word[index + 1 :],
            word[:index] + letter + word[index:],
            word[:index] + word[index : index + 2][::-1] + word[index + 2 :],
        ]
    )


class Deep(Config):
    """Unions inside optional values, lists and mappings."""

    best: Annotated[Sgd | Adam, Field(discriminator="name")] | None = None
    many: tuple[Annotated[Sgd | Adam, Field(discriminator="name")], ...] = ()
    named: dict[str, Annotated[Sgd | Adam, Field(discriminator="name")]] = Field(default_factory=dict)
    either: Mel | int = 1


def test_positions_inside_nested_unions(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(
        "best: {name: sgd, momentum: 2}\n"
        "many:\n- {name: adamw, learning_rat: 1}\n- {name: x}\n"
        "named: {sgd: {name: sgd, momentum: x}}\n"
        "either: {hop_samples: q}\n"
    )
    with pytest.raises(ConfigErrors) as caught:
        load_config(path, Deep)
    found = [f"{each.position.line}:{each.position.column} {each.path}" for each in caught.value.problems]
    assert found == ["1:29 best.momentum", "3:17 many.0.learning_rat", "4:10 many.1.name", "5:36 named.sgd.momentum",
                     "6:9 either", "6:23 either.hop_samples"]  # fmt: skip
