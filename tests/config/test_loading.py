"""Files, bases, overrides and paths become one typed object."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import Field, ValidationError

from speechkd.config import Config, ConfigErrors, ConfigPath, diff, digest, dump_config, flatten, has_path, load_config
from speechkd.config.tree import parse_yaml


class Pocketsphinx(Config):
    backend: Literal["pocketsphinx"] = "pocketsphinx"
    beam: int = 3
    jobs: int = 1


class Mfa(Config):
    backend: Literal["mfa"]
    model: str = "english"
    jobs: int = 1


class Mel(Config):
    hop: int = Field(256, gt=0)
    win: int = 1024


class Root(Config):
    dir: ConfigPath | None = None
    more: tuple[ConfigPath, ...] = ()
    align: Annotated[Pocketsphinx | Mfa, Field(discriminator="backend")] = Pocketsphinx()
    mel: Mel = Mel()
    lr: float = 1e-3
    note: str = ""
    flag: bool = False


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_values_bases_and_overrides_in_order(tmp_path: Path) -> None:
    write(tmp_path, "a.yaml", "lr: 1\nmel: {hop: 128, win: 512}\n")
    write(tmp_path, "b.yaml", "mel: {hop: 64}\n")
    path = write(tmp_path, "c.yaml", "base: [a.yaml, b.yaml]\nmel: {win: 400}\n")
    assert load_config(path, Root).mel == Mel(hop=64, win=400)
    loaded = load_config(path, Root, ["mel.win=300", "lr=1e-4"])
    assert (loaded.mel.win, loaded.lr, loaded.mel.hop) == (300, 1e-4, 64)


def test_paths_start_at_their_file_and_at_the_cwd_for_overrides(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, "base/a.yaml", "dir: data\nmore: [x, /abs, ../y]\n")
    path = write(tmp_path, "top/c.yaml", "base: ../base/a.yaml\n")
    loaded = load_config(path, Root)
    assert loaded.dir == tmp_path / "base/data"
    assert loaded.more == (tmp_path / "base/x", Path("/abs"), tmp_path / "y")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert load_config(path, Root, ["dir=data"]).dir == tmp_path / "here/data"


def test_another_choice_drops_the_options_of_the_old_one_only(tmp_path: Path) -> None:
    write(tmp_path, "a.yaml", "align: {backend: pocketsphinx, beam: 9, jobs: 4}\n")
    path = write(tmp_path, "c.yaml", "base: a.yaml\n")
    assert load_config(path, Root, ["align.backend=mfa"]).align == Mfa(backend="mfa", jobs=4)
    for order in (["align.backend=mfa", "align.model=x"], ["align.model=x", "align.backend=mfa"]):
        assert load_config(path, Root, order).align == Mfa(backend="mfa", model="x", jobs=4)
    over = write(tmp_path, "d.yaml", "base: a.yaml\nalign: {backend: mfa}\n")
    assert load_config(over, Root).align == Mfa(backend="mfa", jobs=4)


def test_scalars_follow_yaml_1_2(tmp_path: Path) -> None:
    text = "[1e-4, no, 12:30, 2020-01-01, 010, 0x1f, 0o17, .inf, true, ~, '1', 1_000, +5, -3.]"
    tree, problems = parse_yaml(text, "x", tmp_path)
    assert tree is not None and not problems
    expected = [1e-4, "no", "12:30", "2020-01-01", 10, 31, 15, float("inf"), True, None, "1", "1_000", 5, -3.0]
    assert tree.plain() == expected


def test_config_is_frozen_and_closed() -> None:
    with pytest.raises(ValidationError):
        Mel().hop = 3  # type: ignore[misc]
    with pytest.raises(ValidationError):
        Mel.model_validate({"hops": 3})


def test_dump_loads_to_the_same_object(tmp_path: Path) -> None:
    path = write(
        tmp_path, "c.yaml", "dir: é\nalign: {backend: mfa, model: 'yes'}\nlr: 1e-7\nnote: '1'\nmel: {hop: 3}\n"
    )
    loaded = load_config(path, Root)
    again = write(tmp_path / "elsewhere", "d.yaml", dump_config(loaded))
    assert load_config(again, Root) == loaded
    assert digest(load_config(again, Root)) == digest(loaded)


def test_digest_is_of_content() -> None:
    assert digest({"b": 1, "a": Path("/x")}) == digest({"a": "/x", "b": 1})
    assert digest({"a": 1}) != digest({"a": 1.5}) != digest({"a": "1"})
    with pytest.raises(TypeError):
        digest({"a": object()})


def test_flatten_and_diff() -> None:
    assert flatten({"a": {"b": 1, "c": [1, 2]}, "d": {}}) == {"a.b": 1, "a.c": [1, 2], "d": {}}
    assert diff({"a": 1, "b": {"c": "x"}}, {"a": 2, "b": {"d": True}}) == [
        ("a", "1", "2"), ("b.c", "x", "(none)"), ("b.d", "(none)", "true"),
    ]  # fmt: skip


def test_has_path_looks_into_every_choice() -> None:
    assert has_path(Root, "align.beam") and has_path(Root, "align.model") and has_path(Root, "mel")
    assert not has_path(Root, "align.nothing") and not has_path(Root, "lr.x")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=20), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None)
@given(json_values)
def test_json_reads_as_itself(value: Any) -> None:
    """JSON is YAML: an independent writer and our reader agree, and positions never get in the way."""
    tree, problems = parse_yaml(json.dumps(value), "x", Path("/"))
    if value is not None:
        assert not problems and tree is not None and tree.plain() == value


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=80) | st.text(alphabet="ab:-[]{}&*!<>|'\"#%@`, \n\t\x00é", max_size=40).map(str.encode))
def test_any_bytes_give_an_object_or_config_errors(tmp_path_factory: pytest.TempPathFactory, raw: bytes) -> None:
    path = tmp_path_factory.mktemp("fuzz") / "c.yaml"
    path.write_bytes(raw)
    try:
        assert isinstance(load_config(path, Root), Root)
    except ConfigErrors as errors:
        places = [problem.position.source for problem in errors.problems]
        assert all(places) and places


def test_plain_yaml_agrees_with_pyyaml_on_ordinary_files() -> None:
    text = "a: 1\nb: [x, 2.5, true]\nc: {d: 'e', f: null}\ng: |\n  two\n  lines\n"
    tree, _ = parse_yaml(text, "x", Path("/"))
    assert tree is not None and tree.plain() == yaml.safe_load(text)


class Many(Config):
    parts: tuple[Mel, ...] = ()
    ways: tuple[Annotated[Pocketsphinx | Mfa, Field(discriminator="backend")], ...] = ()


def test_options_reach_into_a_list(tmp_path: Path) -> None:
    text = "parts: [{hop: 1, win: 2}, {hop: 3}]\nways: [{backend: pocketsphinx, beam: 7, jobs: 2}]\n"
    path = write(tmp_path, "c.yaml", text)
    assert load_config(path, Many, ["parts.1.win=9"]).parts == (Mel(hop=1, win=2), Mel(hop=3, win=9))
    assert load_config(path, Many, ["ways.0.backend=mfa"]).ways == (Mfa(backend="mfa", jobs=2),)
    assert load_config(path, Many, ["parts=[{hop: 5}]"]).parts == (Mel(hop=5),)
    with pytest.raises(ConfigErrors, match=r"parts\.1\.hop"):
        load_config(path, Many, ["parts.1.hop=0"])
    for outside in ("parts.2.hop=5", "parts.x.hop=5", "parts.-1.hop=5"):
        with pytest.raises(ConfigErrors, match="parts"):
            load_config(path, Many, [outside])
