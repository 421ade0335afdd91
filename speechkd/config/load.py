"""YAML file + overrides → a checked configuration object, or every problem at once."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from speechkd.config.model import Config
from speechkd.config.partial import Partial, Unavailable
from speechkd.config.problems import ConfigErrors, Position, Problem
from speechkd.config.schema import Shape, field_paths, locate
from speechkd.config.sources import read_tree
from speechkd.config.tree import Node

C = TypeVar("C", bound=Config)


def load_config(path: Path, schema: type[C], overrides: Sequence[str] = ()) -> C:
    """The configuration in the YAML file `path` with `a.b=value` overrides, as a `schema` object.

    Raises ConfigErrors with all problems: syntax, duplicate and unknown keys, types, ranges, missing keys, cross-field.
    """
    sources = read_tree(Path(path), overrides, schema)
    config: C | None = None
    if sources.complete:  # a file that did not parse would seem to lack every key
        config, found = check(sources.tree, schema)
        sources.problems.extend(found)
    if sources.problems or config is None:
        raise ConfigErrors(sources.problems)
    return config


def read_value(path: Path, key: str, overrides: Sequence[str] = ()) -> Any:
    """One top-level value of a configuration whose schema is not known yet; None if absent.

    Raises ConfigErrors if the file cannot be read or parsed.
    """
    sources = read_tree(Path(path), overrides)
    node = sources.tree.value.get(key)
    if node is None and sources.problems:
        raise ConfigErrors(sources.problems)
    return node.plain() if node is not None else None


def check(tree: Node, schema: type[C]) -> tuple[C | None, list[Problem]]:
    """The object that `tree` describes (None if it is wrong) and its problems."""
    raw = tree.plain()
    try:
        config = schema.model_validate(raw)
    except ValidationError as error:
        errors = list(_explain(error, schema, tree))
        bad = {problem.path for problem in errors} | _meant(error, schema)
        crossed = _cross_problems(Partial.of(schema, raw, bad), tree)
        return None, errors + crossed
    return config, _cross_problems(config, tree) + list(_truth_as_number(tree, config))


def _explain(error: ValidationError, schema: type[BaseModel], tree: Node) -> Iterator[Problem]:
    """pydantic's errors as problems with positions; several for one path (a union's choices) become one."""
    seen: dict[tuple[Position, str], list[str]] = {}
    for item in error.errors(include_url=False):
        path, owner = _locate(dict(item), schema)
        position, dotted, message = _problem_parts(dict(item), path, owner, schema, tree)
        messages = seen.setdefault((position, dotted), [])
        if message not in messages:
            messages.append(message)
    for (position, dotted), messages in seen.items():
        yield Problem(position, dotted, " or ".join(messages))


def _locate(item: dict[str, Any], schema: type[BaseModel]) -> tuple[tuple[str, ...], Shape]:
    return locate(schema, item["loc"], ends_in_key=item["type"] in ("extra_forbidden", "missing"))


def _problem_parts(
    item: dict[str, Any], path: tuple[str, ...], owner: Shape, schema: type[BaseModel], tree: Node
) -> tuple[Position, str, str]:
    """Position, dotted path and message of one pydantic error."""
    kind, context = item["type"], item.get("ctx", {})
    dotted = ".".join(path)
    node, found = _find(tree, path)
    if kind == "extra_forbidden":
        return node.key_at, dotted, _unknown_key(path, owner, schema)
    if kind == "missing":
        return node.key_at, dotted, "this key is missing" + _describe(owner, path[-1])
    if kind in ("union_tag_not_found", "union_tag_invalid"):
        return _tag_problem(kind, context, path, node)
    got = f", got {_short(item['input'])}" if found else " (its default)"
    message = str(item["msg"]).removeprefix("Value error, ").removeprefix("Input ")
    if kind == "model_type" or kind == "model_attributes_type":
        message = "should be a section of `key: value` lines"
    elif kind == "path_type":
        message = "should be a path"
    elif kind == "literal_error" and isinstance(item["input"], str):
        message += _did_you_mean(item["input"], str(context.get("expected", "")).replace("'", "").split(), "{}")
    return node.at, dotted, message + got


def _meant(error: ValidationError, schema: type[BaseModel]) -> set[str]:
    """The paths that unknown keys were probably meant for: their defaults say nothing."""
    meant: set[str] = set()
    for item in error.errors(include_url=False):
        path, owner = _locate(dict(item), schema)
        if item["type"] == "extra_forbidden":
            close = difflib.get_close_matches(path[-1], sorted(owner.field_names()), n=1, cutoff=0.6)
            meant.update(".".join((*path[:-1], name)) for name in close)
    return meant


def _tag_problem(kind: str, context: dict[str, Any], path: tuple[str, ...], node: Node) -> tuple[Position, str, str]:
    """The message for a choice that is not made, or made wrongly."""
    key = str(context.get("discriminator", "")).strip("'")
    dotted = ".".join((*path, key))
    if kind == "union_tag_not_found":
        if not node.is_mapping:
            return node.at, ".".join(path), f"should be a section with the key {key}, got {_short(node.plain())}"
        return node.key_at, dotted, "this key is missing: it names the choice"
    choices = [each.strip(" '") for each in str(context["expected_tags"]).split(",")]
    position = node.value[key].at if node.is_mapping and key in node.value else node.at
    tag = str(context["tag"])
    message = f"should be one of {', '.join(choices)}, got {_short(tag)}"
    return position, dotted, message + _did_you_mean(tag, choices, "{}")


def _unknown_key(path: tuple[str, ...], owner: Shape, schema: type[BaseModel]) -> str:
    """Which key may have been meant, or in which section the key belongs."""
    key, names = path[-1], sorted(owner.field_names())
    for model in owner.models:
        if issubclass(model, Config) and key in model.hints:
            return f"unknown key: {model.hints[key]}"
    hint = _did_you_mean(key, names, "{}")
    if not hint:
        elsewhere = [dotted for dotted, _ in field_paths(schema) if dotted.rsplit(".", 1)[-1] == key]
        hint = f"; did you mean {elsewhere[0]}?" if elsewhere else f"; known keys: {', '.join(names)}"
    return "unknown key" + hint


def _did_you_mean(word: str, choices: Sequence[str], form: str) -> str:
    close = difflib.get_close_matches(word, choices, n=1, cutoff=0.6)
    return f"; did you mean {form.format(close[0])}?" if close else ""


def _describe(owner: Shape, key: str) -> str:
    """The description of a field, in brackets."""
    fields = [model.model_fields[key] for model in owner.models if key in model.model_fields]
    return f" ({fields[0].description})" if fields and fields[0].description else ""


def _short(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else text[:57] + "..."


def _find(tree: Node, path: Iterable[str]) -> tuple[Node, bool]:
    """The node at `path` or the nearest one above it, and whether it was found."""
    node = tree
    for name in path:
        if isinstance(node.value, dict) and name in node.value:
            node = node.value[name]
        elif isinstance(node.value, list) and name.isdigit() and int(name) < len(node.value):
            node = node.value[int(name)]
        else:
            return node, False
    return node, True


def _cross_problems(config: Any, tree: Node, prefix: tuple[str, ...] = ()) -> list[Problem]:
    """The cross-field problems of an object and of everything in it."""
    problems: list[Problem] = []
    for name, value in _children(config):
        problems.extend(_cross_problems(value, tree, (*prefix, name)))
    if isinstance(config, (Config, Partial)):
        for path, message in _run_problems(config):
            full = (*prefix, *(part for part in path.split(".") if part))
            problems.append(Problem(_find(tree, full)[0].at, ".".join(full), message))
    return problems


def _run_problems(config: Config | Partial) -> list[tuple[str, str]]:
    """What `problems` yields until it asks for a value that is itself wrong."""
    found: list[tuple[str, str]] = []
    try:
        for item in config.problems():
            found.append(item)
    except Unavailable:
        pass
    return found


def _children(config: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(config, BaseModel):
        yield from ((name, getattr(config, name)) for name in type(config).model_fields)
    elif isinstance(config, Partial):
        yield from config.available()
    elif isinstance(config, (list, tuple)):
        yield from ((str(index), value) for index, value in enumerate(config))
    elif isinstance(config, dict):
        yield from ((str(key), value) for key, value in config.items())


def _truth_as_number(tree: Node, config: Any, prefix: tuple[str, ...] = ()) -> Iterator[Problem]:
    """pydantic would read `epochs: true` as 1."""
    if isinstance(tree.value, bool) and isinstance(config, (int, float)) and not isinstance(config, bool):
        yield Problem(tree.at, ".".join(prefix), f"should be a number, got {json.dumps(tree.value)}")
    below = dict(_children(config))
    items = tree.value if isinstance(tree.value, dict) else {}
    items = dict(enumerate(tree.value)) if isinstance(tree.value, list) else items
    for key, child in items.items():
        if str(key) in below:
            yield from _truth_as_number(child, below[str(key)], (*prefix, str(key)))
