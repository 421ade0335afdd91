"""YAML text → a tree of plain values in which every node knows its line and column.

Only plain values can be written: text, numbers, true/false, null, lists and mappings. Duplicate keys, tags that would
build objects, merge keys and anything oversized are refused. Scalars follow the YAML 1.2 core rules, because those of
YAML 1.1 turn `no` into false, `1e-4` into text and `12:30` into 750.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from speechkd.config.problems import Position, Problem

MAX_BYTES = 1_000_000
MAX_NODES = 100_000


@dataclass
class Node:
    """One value: a dict of nodes, a list of nodes, or a scalar; `key_at` is where its key stands."""

    value: Any
    at: Position
    key_at: Position

    @property
    def is_mapping(self) -> bool:
        """Whether the node holds keys."""
        return isinstance(self.value, dict)

    def plain(self) -> Any:
        """The bare values; text remembers the folder it was written in (see `LocatedStr`)."""
        if isinstance(self.value, dict):
            return {key: child.plain() for key, child in self.value.items()}
        if isinstance(self.value, list):
            return [child.plain() for child in self.value]
        return LocatedStr.of(self.value, self.at.folder) if isinstance(self.value, str) else self.value


class LocatedStr(str):
    """Text that knows the folder which relative paths in it start from."""

    folder: Path

    @classmethod
    def of(cls, text: str, folder: Path) -> LocatedStr:
        """`text`, written in a file of `folder`."""
        located = cls(text)
        located.folder = folder
        return located


class _Loader(yaml.SafeLoader):
    """SafeLoader with the scalars of the YAML 1.2 core schema."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012


_FLOAT = r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
for _tag, _pattern, _first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", list("-+0123456789")),
    ("float", _FLOAT, list("-+.0123456789")),
    ("merge", r"<<", ["<"]),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), _first)

_SCALAR_TAGS = {f"tag:yaml.org,2002:{name}" for name in ("null", "bool", "int", "float", "str")}
_COLLECTION_TAGS = {"tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"}


@dataclass
class _Builder:
    """Turns PyYAML's node graph into a `Node` tree and collects what is wrong with it."""

    source: str
    folder: Path
    line: bool
    problems: list[Problem] = field(default_factory=list)
    open_nodes: set[int] = field(default_factory=set)
    count: int = 0

    def position(self, mark: Any) -> Position:
        """The position of a PyYAML mark; an option has no lines."""
        if not self.line or mark is None:
            return Position(self.source, 1 if self.line else 0, 1 if self.line else 0, self.folder)
        return Position(self.source, mark.line + 1, mark.column + 1, self.folder)

    def report(self, mark: Any, message: str, path: str = "") -> None:
        """Note one problem."""
        self.problems.append(Problem(self.position(mark), path, message))

    def build(self, node: yaml.Node, key_at: Position, path: str) -> Node:
        """The tree below one YAML node."""
        at = self.position(node.start_mark)
        self.count += 1
        if id(node) in self.open_nodes:
            self.report(node.start_mark, "an alias refers to itself", path)
            return Node(None, at, key_at)
        if self.count > MAX_NODES:
            if self.count == MAX_NODES + 1:
                self.report(node.start_mark, f"more than {MAX_NODES} values", path)
            return Node(None, at, key_at)
        self.open_nodes.add(id(node))
        value = self.value(node, path)
        self.open_nodes.discard(id(node))
        return Node(value, at, key_at)

    def value(self, node: yaml.Node, path: str) -> Any:
        """The value of one YAML node."""
        if isinstance(node, yaml.ScalarNode):
            return self.scalar(node, path)
        if node.tag not in _COLLECTION_TAGS:
            self.report(node.start_mark, f"the tag {node.tag} is not allowed: only plain values are", path)
            return None
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node, path)
        assert isinstance(node, yaml.SequenceNode)
        return [
            self.build(child, self.position(child.start_mark), f"{path}.{i}".lstrip("."))
            for i, child in enumerate(node.value)
        ]

    def mapping(self, node: yaml.MappingNode, path: str) -> dict[str, Node]:
        """The keys of a mapping; a duplicate is reported with the line of the first."""
        result: dict[str, Node] = {}
        for key_node, value_node in node.value:
            key = _key(key_node)
            if key is None:
                self.report(key_node.start_mark, "a key must be plain text", path)
                continue
            child_path = f"{path}.{key}".lstrip(".")
            if key_node.tag == "tag:yaml.org,2002:merge":
                self.report(key_node.start_mark, "merge keys are not supported; use `base:` to share values", path)
            elif key in result:
                first = result[key].key_at
                self.report(key_node.start_mark, f"duplicate key, first given at {first}", child_path)
            else:
                result[key] = self.build(value_node, self.position(key_node.start_mark), child_path)
        return result

    def scalar(self, node: yaml.ScalarNode, path: str) -> Any:
        """A scalar's value."""
        if node.tag not in _SCALAR_TAGS:
            self.report(node.start_mark, f"the tag {node.tag} is not allowed: only plain values are", path)
            return None
        kind = node.tag.rsplit(":", 1)[1]
        try:
            return _SCALARS[kind](node.value)
        except (ValueError, KeyError, OverflowError):
            self.report(node.start_mark, f"{node.value[:40]!r} is not a valid {kind}", path)
            return None


def _text(text: str) -> str:
    """JSON writes rare characters as two escapes, which make one; ValueError for half of one."""
    return text if text.isascii() else text.encode("utf-16-le", "surrogatepass").decode("utf-16-le")


def _key(node: yaml.Node) -> str | None:
    """A mapping's key; None if it is not plain text."""
    try:
        return _text(node.value) if isinstance(node, yaml.ScalarNode) else None
    except ValueError:
        return None


def _int(text: str) -> int:
    return int(text, 0) if text[:2] in ("0x", "0o") else int(text)


def _float(text: str) -> float:
    lowered = text.lower()
    if lowered.lstrip("+-") == ".inf":
        return -math.inf if lowered[0] == "-" else math.inf
    return math.nan if lowered == ".nan" else float(text)


_SCALARS: dict[str, Any] = {
    "null": lambda text: None,
    "bool": lambda text: {"true": True, "false": False}[text.lower()],
    "int": _int,
    "float": _float,
    "str": _text,
}


def parse_yaml(text: str, source: str, folder: Path, *, with_lines: bool = True) -> tuple[Node | None, list[Problem]]:
    """The tree of one YAML document and its problems. The tree is None if the text cannot be parsed or is empty.

    `source` names the file (or, with `with_lines=False`, the option) in positions; relative paths start at `folder`.
    """
    builder = _Builder(source, folder, with_lines)
    try:
        root = _Loader(text).get_single_node()
        if root is None:
            return None, builder.problems
        return builder.build(root, builder.position(root.start_mark), ""), builder.problems
    except yaml.MarkedYAMLError as error:
        detail = ", ".join(part for part in (error.context, error.problem) if part)
        builder.report(error.problem_mark or error.context_mark, f"not valid YAML: {detail}")
    except yaml.reader.ReaderError as error:
        builder.problems.append(_reader_problem(text, error, builder))
    except RecursionError:
        builder.report(None, "nested too deeply")
    return None, builder.problems


def _reader_problem(text: str, error: yaml.reader.ReaderError, builder: _Builder) -> Problem:
    before = text[: int(error.position)]
    line = before.count("\n") + 1
    column = len(before) - (before.rfind("\n") + 1) + 1
    at = Position(builder.source, line if builder.line else 0, column if builder.line else 0, builder.folder)
    return Problem(at, "", f"not valid YAML: the character {text[int(error.position)]!r} is not allowed")
