"""Questions about a pydantic model that pydantic does not answer: what stands at a path, which choice a union takes."""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo


@dataclass(frozen=True)
class Shape:
    """What a field may hold, as far as its structure goes.

    `models`: the pydantic models it may be; `discriminator`: the key that tells them apart; `item`: the annotation of
    the elements of a list, tuple or dict.
    """

    models: tuple[type[BaseModel], ...] = ()
    discriminator: str | None = None
    item: Any = None

    @classmethod
    def of_model(cls, model: type[BaseModel]) -> Shape:
        """The shape of a model itself."""
        return cls((model,))

    @classmethod
    def of_field(cls, field: FieldInfo) -> Shape:
        """The shape of a model's field."""
        shape = cls.of(field.annotation)
        tag = field.discriminator if isinstance(field.discriminator, str) else shape.discriminator
        return cls(shape.models, tag, shape.item)

    @classmethod
    def of(cls, annotation: Any) -> Shape:
        """The shape of a type annotation."""
        origin = get_origin(annotation)
        if origin is Annotated:
            inner = cls.of(get_args(annotation)[0])
            tags = [extra.discriminator for extra in get_args(annotation)[1:] if isinstance(extra, FieldInfo)]
            tag = next((each for each in tags if isinstance(each, str)), inner.discriminator)
            return cls(inner.models, tag, inner.item)
        if origin in (Union, types.UnionType):
            return cls._union([cls.of(part) for part in get_args(annotation)])
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            return cls((annotation,))
        if origin in (list, tuple, set, frozenset) or _is_abstract(origin):
            parts = [part for part in get_args(annotation) if part is not Ellipsis]
            return cls(item=parts[-1] if parts else None)
        return cls()

    @classmethod
    def _union(cls, parts: list[Shape]) -> Shape:
        models = tuple(model for part in parts for model in part.models)
        tag = next((part.discriminator for part in parts if part.discriminator), None)
        item = next((part.item for part in parts if part.item is not None), None)
        return cls(models, tag, item)

    def tags(self) -> list[str]:
        """The choices of a discriminated union."""
        return [str(tag) for model in self.models for tag in _tags(model, self.discriminator)]

    def choose(self, tag: object) -> Shape | None:
        """The shape of the choice named `tag`."""
        for model in self.models:
            if tag in _tags(model, self.discriminator):
                return Shape((model,))
        return None

    def pick(self, value: Mapping[str, Any]) -> Shape | None:
        """The shape of the choice that a mapping (of nodes or of values) makes; None if it makes none."""
        if self.discriminator is None:
            return self if len(self.models) == 1 else None
        tag = value.get(self.discriminator)
        return self.choose(getattr(tag, "value", tag))

    def child(self, key: str) -> Shape | None:
        """The shape below `key`; None if there is no such field."""
        for model in self.models:
            if key in model.model_fields:
                return Shape.of_field(model.model_fields[key])
        return Shape.of(self.item) if self.item is not None else None

    def has_key(self, key: str) -> bool:
        """Whether a mapping of this shape may have this key; one without fields may have any."""
        return key in self.field_names() or (self.item is not None and not self.models)

    def field_names(self) -> set[str]:
        """The keys that a mapping of this shape may have."""
        return {name for model in self.models for name in model.model_fields}


def _is_abstract(origin: Any) -> bool:
    return (isinstance(origin, type) and issubclass(origin, (Mapping,))) or getattr(origin, "__name__", "") in (
        "Sequence",
        "Iterable",
        "Collection",
    )


def _tags(model: type[BaseModel], discriminator: str | None) -> tuple[object, ...]:
    field = model.model_fields.get(discriminator or "")
    return get_args(field.annotation) if field and get_origin(field.annotation) is Literal else ()


def locate(
    model: type[BaseModel], loc: tuple[int | str, ...], ends_in_key: bool = False
) -> tuple[tuple[str, ...], Shape]:
    """The dotted path of a pydantic error location, free of union tags, and the shape that holds its last element.

    `ends_in_key`: the last element is a key, even one that the model does not have.
    """
    path: list[str] = []
    shape: Shape | None = Shape.of_model(model)
    owner = Shape.of_model(model)
    for index, element in enumerate(loc):
        if shape is not None and shape.discriminator:
            shape = shape.choose(element)
            continue
        unknown_key = ends_in_key and index == len(loc) - 1
        if isinstance(element, str) and not unknown_key and not (shape is not None and shape.has_key(element)):
            continue  # the tag of a plain union, such as 'int' or "literal['auto']"
        owner = shape or owner
        path.append(str(element))
        shape = shape.child(str(element)) if shape is not None else None
    return tuple(path), owner


def has_path(model: type[BaseModel], path: str) -> bool:
    """Whether `path` (dotted) names a field; a field of any choice of a union counts."""
    shape: Shape | None = Shape.of_model(model)
    for name in path.split("."):
        shape = shape.child(name) if shape is not None else None
        if shape is None:
            return False
    return True


def field_paths(model: type[BaseModel], prefix: str = "", depth: int = 6) -> Iterator[tuple[str, FieldInfo]]:
    """Every dotted path of a model with its field, through all choices of unions."""
    for name, field in model.model_fields.items():
        yield f"{prefix}{name}", field
        if depth:
            for below in Shape.of_field(field).models:
                yield from field_paths(below, f"{prefix}{name}.", depth - 1)
