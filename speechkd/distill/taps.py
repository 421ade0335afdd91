"""Reading what happens inside a network, without touching its class."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from torch import nn
from torch.utils.hooks import RemovableHandle

from speechkd.errors import ConfigError, StageError


class Taps:
    """`with Taps(model, {"middle": "encoder.layers.3"}) as taps: model(x); taps["middle"]`

    Reads what named submodules of this instance return: as they return it, with its gradient, the last time that they
    ran. What was read stays readable after the block, until the next one. The hooks are gone when the block is left,
    also by an exception. ConfigError with close names for a path that is not there.
    """

    def __init__(self, model: nn.Module, paths: Mapping[str, str]) -> None:
        self.paths = dict(paths)
        self._modules = {name: _submodule(model, path) for name, path in paths.items()}
        self._handles: list[RemovableHandle] = []
        self._values: dict[str, Any] = {}

    def __enter__(self) -> Taps:
        if self._handles:
            raise StageError("these taps are open already")
        self._values = {}
        for name, module in self._modules.items():
            self._handles.append(module.register_forward_hook(self._reader(name)))
        return self

    def __exit__(self, kind: object, value: object, trace: object) -> None:
        while self._handles:
            self._handles.pop().remove()

    def __getitem__(self, name: str) -> Any:
        """What the submodule returned. StageError if it did not run, KeyError if there is no such tap."""
        path = self.paths[name]
        if name not in self._values:
            raise StageError(f"the tap {name} read nothing", where=path, why="the submodule did not run in the block")
        return self._values[name]

    def _reader(self, name: str) -> Any:
        def read(module: nn.Module, inputs: Any, output: Any) -> None:
            self._values[name] = output

        return read


def _submodule(model: nn.Module, path: str) -> nn.Module:
    known = dict(model.named_modules(remove_duplicate=False))
    if path not in known:
        close = get_close_matches(path, known, n=3)
        hint = f"Did you mean {' or '.join(close)}?" if close else f"It has {', '.join(list(known)[1:6]) or 'none'}, …"
        raise ConfigError(f"{type(model).__name__} has no submodule {path!r}", todo=hint)
    return known[path]
