"""`speechkd serve`: voices over HTTP, and the page."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from speechkd.errors import missing_extra

if TYPE_CHECKING:
    from speechkd.serve.options import Options

_NEEDED = {"fastapi": "fastapi", "uvicorn": "uvicorn", "prometheus_client": "prometheus-client", "soxr": "soxr"}


def serve(
    voice: Annotated[
        list[str] | None,
        typer.Option(help="Name or folder of a voice; may be repeated, the first is the default.", show_default=False),
    ] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen at.", show_default="127.0.0.1")] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65_535, help="Port; 0 takes a free one.", show_default="8000")
    ] = None,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Requests that are spoken at a time.", show_default="2")
    ] = None,
    queue: Annotated[int | None, typer.Option(min=0, help="Requests that may wait.", show_default="16")] = None,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(help="A further name by which clients call this server; may be repeated.", show_default=False),
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="YAML file with these options and all limits.", show_default=False)
    ] = None,
) -> None:
    """Serve voices: an HTTP interface like OpenAI's, one with all controls, and a page to try them on."""
    for module, package in _NEEDED.items():
        if find_spec(module) is None:
            raise missing_extra(package, "serve", "serving")
    from speechkd.serve.server import run_server
    from speechkd.serve.voices import load_voices

    options = read_options(
        config,
        {"host": host, "port": port, "voices": voice, "hosts": allow_host},
        {"threads": threads, "queue": queue},
    )
    if not options.is_local:
        print(f"warning: {options.host} can be reached from other machines, and nobody is asked who they are",
              file=sys.stderr)  # fmt: skip
    run_server(load_voices(options.voices), options, lambda line: print(line, flush=True))


def read_options(config: Path | None, given: dict[str, Any], limits: dict[str, Any]) -> Options:
    """The options of a file, with those that were given on the command line in their place. Raises ConfigErrors."""
    from speechkd.config.load import load_config
    from speechkd.serve.options import Options

    read = Options() if config is None else load_config(config, Options)
    changed = {name: value for name, value in given.items() if value is not None}
    changed_limits = {name: value for name, value in limits.items() if value is not None}
    plain = read.model_dump()
    return Options.model_validate(plain | changed | {"limits": plain["limits"] | changed_limits})
