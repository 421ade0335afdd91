"""Recipes by name: `tts/fastspeech2` is `recipes.tts.fastspeech2.RECIPE`."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from speechkd.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from speechkd.runner import Recipe

_NAME = re.compile(r"[a-z0-9_]+/[a-z0-9_]+")


def known_recipes() -> list[str]:
    """The names of all recipes, found without importing them."""
    import recipes

    names = []
    for family in pkgutil.iter_modules(recipes.__path__):
        for folder in recipes.__path__:
            below = pkgutil.iter_modules([str(Path(folder) / family.name)])
            names += [f"{family.name}/{each.name}" for each in below if each.name != "common"]
    return sorted(set(names))


def find_recipe(name: object) -> Recipe:
    """The recipe with this name; UsageError listing the known ones if there is none."""
    known = known_recipes()
    if not isinstance(name, str) or not _NAME.fullmatch(name) or name not in known:
        close = get_close_matches(str(name), known, n=1)
        hint = f"Did you mean {close[0]}? " if close else ""
        raise UsageError(f"there is no recipe {name!r}", todo=f"{hint}Known: {', '.join(known)}")
    recipe: Recipe = importlib.import_module("recipes." + name.replace("/", ".")).RECIPE
    return recipe


def recipe_of(config: Path, overrides: Sequence[str]) -> Recipe:
    """The recipe that a configuration file asks for."""
    from speechkd.config import read_value

    name = read_value(config, "recipe", overrides)
    if name is None:
        raise ConfigError("the key `recipe` is missing", where=str(config), todo=f"Known: {', '.join(known_recipes())}")
    return find_recipe(name)


def load(config: Path, overrides: Sequence[str]) -> tuple[Recipe, Any]:
    """The recipe of a configuration file and the configuration itself."""
    from speechkd.config import load_config

    recipe = recipe_of(config, overrides)
    return recipe, load_config(config, recipe.config, overrides)
