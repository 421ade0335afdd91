"""A YAML file, the files it is based on, and the overrides of the command line → one tree."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import BaseModel

from speechkd.config.problems import Position, Problem
from speechkd.config.schema import Shape
from speechkd.config.tree import MAX_BYTES, Node, parse_yaml


@dataclass
class Sources:
    """What the files and options of a configuration say.

    `complete` is false if a file could not be read or parsed: then nothing can be said about missing keys.
    """

    tree: Node
    problems: list[Problem] = field(default_factory=list)
    complete: bool = True

    def lose(self, at: Position, path: str, message: str) -> None:
        """Note a problem that costs a whole file."""
        self.problems.append(Problem(at, path, message))
        self.complete = False


def read_tree(path: Path, overrides: Sequence[str] = (), schema: type[BaseModel] | None = None) -> Sources:
    """The merged tree of a configuration and the problems met on the way.

    Bases are merged in order, the file over them, the overrides over the file. With `schema`, a change of a union's
    choice (`backend: mfa` over `backend: pocketsphinx`) drops the options that only the old choice has.
    """
    sources = Sources(Node({}, _start(path), _start(path)))
    shape = Shape.of_model(schema) if schema else None
    sources.tree = _read_file(path, shape, (), None, sources) or sources.tree
    for override in overrides:
        parsed = _parse_override(override, sources.problems)
        if parsed is not None:
            sources.tree = merge(sources.tree, parsed, shape)
    return sources


def merge(under: Node, over: Node, shape: Shape | None = None) -> Node:
    """`over` on top of `under`: mappings are merged key by key, anything else is replaced.

    Keys `0`, `1`, … over a list reach into its elements, so that an option can change one of them.
    """
    if isinstance(under.value, list) and over.is_mapping and _reaches_into(under.value, over.value):
        return Node(_merged_items(under.value, over.value, shape), under.at, under.key_at)
    if not (under.is_mapping and over.is_mapping):
        return over
    kept = under.value
    if shape is not None and shape.discriminator:
        kept = _compatible(kept, over, shape)
        shape = shape.pick({**kept, **over.value})
    merged = dict(kept)
    for key, child in over.value.items():
        child_shape = shape.child(key) if shape is not None else None
        merged[key] = merge(merged[key], child, child_shape) if key in merged else child
    # A section stands where it is written; an option that reaches into it does not move it.
    section = over if over.at.line else under
    return Node(merged, section.at, section.key_at)


def _reaches_into(items: list[Node], over: dict[str, Node]) -> bool:
    return bool(over) and all(key.isdecimal() and int(key) < len(items) for key in over)


def _merged_items(items: list[Node], over: dict[str, Node], shape: Shape | None) -> list[Node]:
    merged = list(items)
    for key, child in over.items():
        merged[int(key)] = merge(merged[int(key)], child, shape.child(key) if shape is not None else None)
    return merged


def _compatible(kept: dict[str, Node], over: Node, shape: Shape) -> dict[str, Node]:
    """The keys of the lower mapping that the upper mapping's choice knows."""
    tag = shape.discriminator
    if tag not in over.value or tag not in kept or over.value[tag].value == kept[tag].value:
        return kept
    chosen = shape.pick(over.value)
    names = chosen.field_names() if chosen is not None else set(kept)
    return {key: child for key, child in kept.items() if key in names}


def _label(path: Path) -> str:
    """The path as a person would type it: relative if it lies below the working directory."""
    relative = os.path.relpath(path)
    return str(path) if relative.startswith("..") else relative


def _start(path: Path) -> Position:
    return Position(_label(path), 1, 1, path.absolute().parent)


def _read_file(
    path: Path, shape: Shape | None, chain: tuple[Path, ...], asked_at: Position | None, sources: Sources
) -> Node | None:
    """One file merged over its bases; `chain` holds the files that led here."""
    real = Path(os.path.realpath(path))
    if real in chain:
        names = " → ".join(_label(each) for each in (*chain[chain.index(real) :], real))
        sources.lose(asked_at or _start(path), "base", f"the files are based on each other: {names}")
        return None
    text = _read_text(path, asked_at, sources)
    tree = _parse_file(path, text, sources) if text is not None else None
    if tree is None:
        return None
    under: Node | None = None
    for name in _base_names(tree.value.pop("base", None), sources.problems):
        lower = _read_file(name.at.folder / name.value, shape, (*chain, real), name.at, sources)
        if lower is not None:
            under = merge(under, lower, shape) if under is not None else lower
    return merge(under, tree, shape) if under is not None else tree


def _parse_file(path: Path, text: str, sources: Sources) -> Node | None:
    """The mapping in a file's text; None if it holds none."""
    tree, found = parse_yaml(text, _label(path), path.absolute().parent)
    sources.problems.extend(found)
    if tree is None:
        sources.complete = sources.complete and not found
        return None
    if not tree.is_mapping:
        sources.lose(tree.at, "", "a configuration is a mapping of `key: value` lines")
        return None
    return tree


def _base_names(base: Node | None, problems: list[Problem]) -> list[Node]:
    """The file names of a `base:` entry: one or a list."""
    if base is None:
        return []
    names = base.value if isinstance(base.value, list) else [base]
    good = [name for name in names if isinstance(name.value, str) and name.value]
    problems.extend(
        Problem(name.at, "base", "expected a file name or a list of file names") for name in names if name not in good
    )
    return good


def _read_text(path: Path, asked_at: Position | None, sources: Sources) -> str | None:
    """The text of a file, or None with the reason among the problems."""
    at = asked_at or Position(_label(path), 0, 0, path.absolute().parent)
    key, name = ("base", f"{_label(path)}: ") if asked_at else ("", "")
    try:
        # A FIFO would block for ever; only a regular file is a configuration.
        if path.exists() and not path.is_file():
            sources.lose(at, key, f"{name}is not a file")
        elif path.stat().st_size > MAX_BYTES:
            sources.lose(at, key, f"{name}is larger than {MAX_BYTES} bytes")
        else:
            return _decode(path.read_bytes(), path, sources)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        sources.lose(at, key, f"{name}cannot be read: {reason}")
    return None


def _decode(raw: bytes, path: Path, sources: Sources) -> str | None:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = raw[: error.start]
        line = before.count(b"\n") + 1
        column = len(before) - (before.rfind(b"\n") + 1) + 1
        sources.lose(Position(_label(path), line, column, path.absolute().parent), "", "not UTF-8 text")
        return None


def _parse_override(text: str, problems: list[Problem]) -> Node | None:
    """`a.b=value` as a tree of one leaf; the value is YAML and relative paths in it start at the working directory."""
    key, equals, value = text.partition("=")
    key = key.strip()
    source = f"--set {key}"
    at = Position(source, 0, 0, Path.cwd())
    if not equals or not key or not all(key.split(".")):
        problems.append(Problem(Position(f"--set {text}", 0, 0, Path.cwd()), "", "expected KEY=VALUE, such as a.b=3"))
        return None
    leaf, found = parse_yaml(value, source, Path.cwd(), with_lines=False)
    problems.extend(found)
    if found:
        return None
    node = leaf or Node(None, at, at)
    for name in reversed(key.split(".")):
        node = Node({name: node}, at, at)
    return node
