"""A configuration that is wrong in places, so that the checks across fields can still run on the rest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any

from pydantic import BaseModel, TypeAdapter, ValidationError

from speechkd.config.schema import Shape


class Unavailable(Exception):
    """A check asked for a value that is missing or wrong."""


class Partial:
    """Stands for a `model` object: sound fields read normally, wrong ones raise Unavailable."""

    def __init__(self, model: type[BaseModel], values: Mapping[str, Any]) -> None:
        self._model = model
        self._values = dict(values)

    @classmethod
    def of(cls, model: type[BaseModel], raw: Any, bad: set[str], prefix: str = "") -> Partial:
        """What is sound in `raw`; `bad` holds the dotted paths of the problems already known."""
        values: dict[str, Any] = {}
        if isinstance(raw, Mapping):
            for name, field in model.model_fields.items():
                path = f"{prefix}{name}"
                spoilt = any(each == path or each.startswith(path + ".") for each in bad)
                shape = Shape.of_field(field)
                if not spoilt:
                    values.update(_sound(model, name, raw))
                elif path not in bad and isinstance(raw.get(name), Mapping):
                    below = shape.pick(raw[name])
                    if below is not None and below.models:
                        values[name] = cls.of(below.models[0], raw[name], bad, path + ".")
        return cls(model, values)

    def available(self) -> Iterator[tuple[str, Any]]:
        """The fields that can be read."""
        yield from self._values.items()

    def problems(self) -> Iterable[tuple[str, str]]:
        """The model's own checks, on this object."""
        check = getattr(self._model, "problems", None)
        return check(self) if check is not None else ()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if name in self._values:
            return self._values[name]
        if name in self._model.model_fields or hasattr(BaseModel, name):
            raise Unavailable(name)
        member = getattr(self._model, name)
        member = self._model.__dict__.get(name, member)
        return member.__get__(self, self._model) if hasattr(member, "__get__") else member


def _sound(model: type[BaseModel], name: str, raw: Mapping[str, Any]) -> dict[str, Any]:
    """The validated value of one field, or nothing if it cannot stand alone."""
    field = model.model_fields[name]
    if name not in raw:
        return {} if field.is_required() else {name: field.get_default(call_default_factory=True)}
    try:
        adapter: TypeAdapter[Any] = TypeAdapter(Annotated[field.annotation, field])  # type: ignore[arg-type]
        return {name: adapter.validate_python(raw[name])}
    except ValidationError:
        return {}
