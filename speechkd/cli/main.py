"""`speechkd COMMAND …`: finds the command in a table and imports nothing but that command's module.

Errors that are meant for people become one line on stderr and the exit code of their kind; everything else is a bug
and says so. With --debug (or SPEECHKD_DEBUG=1) the traceback follows.
"""

from __future__ import annotations

import difflib
import importlib
import io
import os
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from speechkd.errors import ResourceError, SpeechkdError, UsageError, missing_extra

INTERRUPTED = 130


@dataclass(frozen=True)
class Command:
    """Where a command lives (`module:attribute`, a function or a typer.Typer) and what it does."""

    target: str
    help: str


COMMANDS: dict[str, Command] = {
    "run": Command("speechkd.cli.run:run", "Run the stages of a recipe, or show their state."),
    "finetune": Command("speechkd.cli.finetune:finetune", "Teach a voice your recordings."),
    "synthesize": Command("speechkd.cli.synthesize:synthesize", "Speak text with a voice."),
    "speak": Command("speechkd.cli.speak:speak", "Speak text through the sound device."),
    "serve": Command("speechkd.cli.serve:serve", "Serve voices over HTTP, with a page to try them on."),
    "lipread": Command("speechkd.cli.lipread:lipread", "Read lips: the text of films, and how sure each word is."),
    "export": Command("speechkd.cli.export:export", "Give a voice onnx graphs, so that it speaks without torch."),
    "voices": Command("speechkd.cli.voices:app", "List the voices at hand; pack, push and pull them."),
    "config": Command("speechkd.cli.config:app", "Show, describe and compare configurations."),
    "data": Command("speechkd.cli.data:app", "Download and validate corpora."),
    "distill": Command("speechkd.cli.distill:app", "Explain which teacher feeds which term of a loss."),
    "align": Command("speechkd.cli.align:align", "Find when every word and phone of a corpus is said."),
    "doctor": Command("speechkd.cli.doctor:doctor", "Check this machine: versions, devices, optional tools."),
    "new": Command("speechkd.cli.new:new", "Start an experiment on your own recordings."),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """The program; returns its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = os.environ.get("SPEECHKD_DEBUG", "") not in ("", "0") or "--debug" in _options(given)
    if debug:
        cut = len(_options(given))
        given = [each for each in given[:cut] if each != "--debug"] + given[cut:]
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a locale without → must not stop a run
    code = _guarded(given, debug)
    return code if _flush() else 1


def _options(arguments: list[str]) -> list[str]:
    """The arguments up to a `--`, after which nothing is an option."""
    return arguments[: arguments.index("--")] if "--" in arguments else arguments


def _guarded(arguments: list[str], debug: bool) -> int:
    """Run and turn every ending into an exit code."""
    try:
        return _dispatch(arguments)
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 0 if stop.code is None else 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        return 1
    except Exception as error:
        if debug:
            traceback.print_exc()
        shown = _for_people(error)
        print(message(shown), file=sys.stderr)
        return shown.exit_code


def _dispatch(arguments: list[str]) -> int:
    if not arguments or arguments[0] in ("--help", "-h"):
        print(help_text())
        return 0 if arguments else UsageError.exit_code
    if arguments[0] == "--version":
        from speechkd.cli.version import installed_version

        print(f"speechkd {installed_version()}")
        return 0
    name = arguments[0]
    if name not in COMMANDS:
        close = difflib.get_close_matches(name, COMMANDS, n=1)
        todo = f"Did you mean {close[0]}?" if close else f"Commands: {', '.join(COMMANDS)}"
        raise UsageError(f"unknown {'option' if name.startswith('-') else 'command'} {name!r}", todo=todo)
    return _invoke(name, arguments[1:])


def _invoke(name: str, arguments: list[str]) -> int:
    """Import the command and hand it its arguments."""
    module, _, attribute = COMMANDS[name].target.partition(":")
    target = getattr(importlib.import_module(module), attribute)
    import typer

    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.callback()(_no_options)
    if isinstance(target, typer.Typer):
        app.add_typer(target, name=name, help=COMMANDS[name].help)
    else:
        app.command(name)(target)
    # What typer raises for every wrong call; it has no public name.
    wrong_call: Any = typer.BadParameter.__mro__[1]
    try:
        code = typer.main.get_command(app).main([name, *arguments], prog_name="speechkd", standalone_mode=False)
    except wrong_call as error:
        return _wrong_call(name, error.format_message())
    return code if isinstance(code, int) else 0


def _wrong_call(name: str, text: str) -> int:
    """One line for an option or argument that cannot be; the help page for a command called without any."""
    if "\n" not in text:
        raise UsageError(text.rstrip("."), todo=f"Type: speechkd {name} --help")
    print(text, file=sys.stderr)
    return UsageError.exit_code


def _no_options() -> None:
    """speechkd"""


def _for_people(error: Exception) -> SpeechkdError:
    """The error to show for any exception that reached the top."""
    if isinstance(error, SpeechkdError):
        return error
    own = ("speechkd", "recipes")
    if isinstance(error, ModuleNotFoundError) and error.name and error.name.split(".")[0] not in own:
        return missing_extra(error.name.split(".")[0], "train", "this command")
    if isinstance(error, MemoryError):
        return ResourceError("out of memory")
    if isinstance(error, OSError) and error.filename is not None:
        return ResourceError("cannot read or write", where=str(error.filename), why=error.strerror)
    return SpeechkdError(
        "this is a bug in speechkd", why=f"{type(error).__name__}: {error}", todo="Add --debug to see where"
    )


def message(error: SpeechkdError) -> str:
    """What stderr shows: one line, or one line per problem of a configuration."""
    problems = getattr(error, "problems", None)
    if isinstance(problems, tuple) and problems:
        return "\n".join(f"error: {_one_line(str(problem))}" for problem in problems)
    return f"error: {_one_line(str(error))}"


def _one_line(text: str) -> str:
    return " ".join(text.splitlines())


def help_text() -> str:
    """The page of `speechkd --help`."""
    width = max(len(name) for name in COMMANDS)
    lines = [f"  {name:<{width}}  {command.help}" for name, command in COMMANDS.items()]
    return "\n".join(
        [
            "Usage: speechkd COMMAND [OPTIONS] …",
            "",
            "Fast, small speech models made from slow, large ones, with the proof that it worked.",
            "",
            "Commands:",
            *lines,
            "",
            "Options:",
            "  --help     This page; after a command: its own options.",
            "  --version  The version.",
            "  --debug    Show the traceback of an error (also SPEECHKD_DEBUG=1).",
        ]
    )


def _flush() -> bool:
    """Write out what is buffered; False if nobody reads it any more."""
    try:
        sys.stdout.flush()
        return True
    except BrokenPipeError:
        # Otherwise the interpreter tries again at exit and complains.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return False
