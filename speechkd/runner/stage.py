"""What a recipe is made of: stages with declared inputs, outputs and config slices."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from speechkd.config.schema import has_path
from speechkd.errors import UsageError

if TYPE_CHECKING:
    from speechkd.config import Config
    from speechkd.runner.context import Context

StageFunction = Callable[[Any, "Context"], None]
_NAME = re.compile(r"[a-z0-9_]+")


@dataclass(frozen=True)
class Output:
    """An artifact that a stage publishes. `volatile`: its bytes differ between equal runs (timings)."""

    name: str
    volatile: bool = False


@dataclass(frozen=True)
class Stage:
    """A named step: `function(cfg, ctx)` reads `inputs` and the slice `uses` + `external`, and fills `outputs`.

    `external` are dotted paths of files or folders outside the run folder; their content (names, sizes, times) counts,
    their location does not. Raise `version` when the function's results change. `imports` are modules that the workers
    of its maps load: where workers are forked, they are loaded once for all of them.
    """

    function: StageFunction
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[Output, ...]
    uses: tuple[str, ...]
    external: tuple[str, ...]
    version: int
    imports: tuple[str, ...] = ()

    @property
    def function_name(self) -> str:
        """`module:name` if the function can be imported by it from anywhere, else empty."""
        module, name = self.function.__module__, self.function.__qualname__
        return f"{module}:{name}" if name.isidentifier() and module != "__main__" else ""

    def __call__(self, cfg: Any, ctx: Context) -> None:
        """Run the function itself, without the runner."""
        self.function(cfg, ctx)


def stage(
    *,
    inputs: Sequence[str] = (),
    outputs: Sequence[str | Output] = (),
    uses: Sequence[str] = (),
    external: Sequence[str] = (),
    version: int = 1,
    name: str | None = None,
    imports: Sequence[str] = (),
) -> Callable[[StageFunction], Stage]:
    """Declare a function `(cfg, ctx)` as a stage; its name is the function's unless given."""
    declared = tuple(Output(each) if isinstance(each, str) else each for each in outputs)

    def wrap(function: StageFunction) -> Stage:
        own_name = name or function.__name__
        for each in (own_name, *(output.name for output in declared)):
            if not _NAME.fullmatch(each):
                raise ValueError(f"stage {own_name}: {each!r} may only hold a-z, 0-9 and _")
        return Stage(
            function, own_name, tuple(inputs), declared, tuple(uses), tuple(external), version, tuple(imports)
        )  # fmt: skip

    return wrap


def no_base(cfg: Any) -> Path | None:
    """A recipe whose runs take nothing over."""
    return None


@dataclass(frozen=True)
class Recipe:
    """An ordered list of stages over one config type. A stage's number is its position, from 1.

    `run_dir(cfg)` names the folder of the run; `base(cfg)` another one, whose finished stages are taken over where they
    are the same. Raises ValueError if the stages do not fit together.
    """

    name: str
    config: type[Config]
    stages: tuple[Stage, ...]
    run_dir: Callable[[Any], Path]
    base: Callable[[Any], Path | None] = no_base

    def __post_init__(self) -> None:
        object.__setattr__(self, "stages", tuple(self.stages))
        made: set[str] = set()
        names: set[str] = set()
        for each in self.stages:
            if each.name in names:
                raise ValueError(f"{self.name}: two stages are called {each.name}")
            names.add(each.name)
            self._check_artifacts(each, made)
            for path in (*each.uses, *each.external):
                if not has_path(self.config, path):
                    raise ValueError(f"{self.name}: stage {each.name} uses {path}, which {self.config} does not have")

    def _check_artifacts(self, each: Stage, made: set[str]) -> None:
        for artifact in each.inputs:
            if artifact not in made:
                raise ValueError(f"{self.name}: stage {each.name} needs {artifact}, which no earlier stage makes")
        for output in each.outputs:
            if output.name in made or output.name in ("logs", "config"):
                raise ValueError(f"{self.name}: stage {each.name} makes {output.name}, a name already taken")
            made.add(output.name)

    def number(self, each: Stage) -> int:
        """The position of a stage, from 1."""
        return [other.name for other in self.stages].index(each.name) + 1

    def find(self, key: str) -> Stage:
        """The stage with this number or name; UsageError if there is none."""
        for number, each in enumerate(self.stages, 1):
            if key in (each.name, str(number)):
                return each
        known = ", ".join(f"{number} {each.name}" for number, each in enumerate(self.stages, 1))
        raise UsageError(f"recipe {self.name} has no stage {key!r}", todo=f"Its stages: {known}")

    def producer(self, artifact: str) -> Stage:
        """The stage that publishes an artifact."""
        for each in self.stages:
            if any(output.name == artifact for output in each.outputs):
                return each
        raise KeyError(artifact)
