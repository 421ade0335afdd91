"""`speechkd config`: show, describe and compare configurations."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True)
Overrides = Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override a value.")]


@app.command()
def show(config: Path, overrides: Overrides = None) -> None:
    """The configuration with its bases, defaults and overrides, as YAML."""
    from speechkd.cli.recipes import load
    from speechkd.config import dump_config

    typer.echo(dump_config(load(config, overrides or [])[1]), nl=False)


@app.command()
def schema(recipe: Annotated[str, typer.Argument(help="A recipe (tts/fastspeech2) or a YAML file.")]) -> None:
    """The JSON schema of a recipe's configuration, for editors."""
    from speechkd.cli.recipes import find_recipe, recipe_of

    found = recipe_of(Path(recipe), []) if Path(recipe).suffix in (".yaml", ".yml") else find_recipe(recipe)
    typer.echo(json.dumps(found.config.model_json_schema(), indent=1, sort_keys=True))


@app.command()
def diff(first: Path, second: Path) -> None:
    """The values in which two configurations differ."""
    from speechkd.cli.recipes import load
    from speechkd.config import diff as compare

    for path, before, after in compare(load(first, [])[1], load(second, [])[1]):
        typer.echo(f"{path}: {before} → {after}")
