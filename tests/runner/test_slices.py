"""What a stage declares of the elements of a list."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from speechkd.config import Config, ConfigPath
from speechkd.runner import Recipe, RunOptions, list_stages, run_recipe, stage
from speechkd.runner.slices import UndeclaredFieldError, get_path, slice_leaves


class Part(Config):
    name: str
    dir: ConfigPath
    title: str = ""


class Parts(Config):
    run_dir: ConfigPath
    parts: tuple[Part, ...]


@stage(outputs=("names",), uses=("parts.*.name",), external=("parts.*.dir",))
def look(cfg: Any, ctx: Any) -> None:
    lines = [f"{part.name} {sorted(path.name for path in part.dir.iterdir())}" for part in cfg.parts]
    (ctx.output("names") / "lines").write_text("\n".join(lines))


RECIPE = Recipe("toy/parts", Parts, (look,), lambda cfg: cfg.run_dir)


def config(folder: Path, *names: str, title: str = "") -> Parts:
    for name in names:
        (folder / name).mkdir(exist_ok=True)
    parts = tuple(Part(name=name, dir=folder / name, title=title) for name in names)
    return Parts(run_dir=folder / "run", parts=parts)


def test_each_element_is_a_slice_of_its_own(tmp_path: Path) -> None:
    cfg = config(tmp_path, "a", "b")
    (tmp_path / "b" / "x").touch()
    run_recipe(RECIPE, cfg, RunOptions())
    assert (tmp_path / "run/names/lines").read_text() == "a []\nb ['x']"
    assert slice_leaves(cfg, look) == {"parts.*.name": ["a", "b"]}
    assert get_path(cfg, "parts.*.dir") == [tmp_path / "a", tmp_path / "b"] and get_path(cfg, "none.*.dir") == []


def test_what_counts_is_what_is_declared_and_the_files_it_names(tmp_path: Path) -> None:
    cfg = config(tmp_path, "a", "b")
    run_recipe(RECIPE, cfg, RunOptions())
    texts = lambda each: [status.text for status in list_stages(RECIPE, each)]  # noqa: E731
    assert texts(cfg) == texts(config(tmp_path, "a", "b", title="new")) == ["fresh"]
    assert "parts.*.name" in texts(config(tmp_path, "a", "b", "c"))[0]
    (tmp_path / "b" / "x").touch()
    assert texts(cfg) == ["stale: files in parts.*.dir changed"]


def test_an_undeclared_field_of_an_element_cannot_be_read(tmp_path: Path) -> None:
    @stage(outputs=("names",), uses=("parts.*.name",))
    def nosy(cfg: Any, ctx: Any) -> None:
        _ = [part.title for part in cfg.parts]

    recipe = Recipe("toy/nosy", Parts, (nosy,), lambda cfg: cfg.run_dir)
    with pytest.raises(UndeclaredFieldError, match=r"parts\.\*\.title"):
        run_recipe(recipe, config(tmp_path, "a"), RunOptions())
