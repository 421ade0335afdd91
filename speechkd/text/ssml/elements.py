"""The elements of the subset: where each may stand, its attributes, and what may stand inside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from speechkd.text.ssml.place import Place

ROOT = "speak"


@dataclass(frozen=True)
class Element:
    """What an element takes. `required`: of these attributes one at least; `empty`: nothing stands inside it.

    `holds_elements` is false for an element with text alone; `outside`: elements that it must not stand in.
    """

    attributes: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    empty: bool = False
    holds_elements: bool = True
    outside: tuple[str, ...] = ()


ELEMENTS = {
    ROOT: Element(("version", "xml:lang", "xmlns", "xsi:schemaLocation")),
    "p": Element(("xml:lang",), outside=("p", "s", "emphasis")),
    "s": Element(("xml:lang",), outside=("s", "emphasis")),
    "break": Element(("time", "strength"), empty=True),
    "prosody": Element(("rate", "speed", "pitch", "volume"), required=("rate", "speed", "pitch", "volume")),
    "emphasis": Element(("level",)),
    "say-as": Element(("interpret-as", "format"), required=("interpret-as",), holds_elements=False),
    "sub": Element(("alias",), required=("alias",), holds_elements=False),
    "phoneme": Element(("ph", "alphabet"), required=("ph",), holds_elements=False),
    "mark": Element(("name",), required=("name",), empty=True),
    "lang": Element(("xml:lang",), required=("xml:lang",)),
    "voice": Element(("name", "speaker", "xml:lang"), required=("name", "speaker")),
}


def check_element(name: str, attributes: Mapping[str, str], around: Sequence[str], place: Place) -> None:
    """DataError when the element is unknown, stands where it must not, or has wrong attributes.

    `around`: the names of the elements that it stands in, the outermost first.
    """
    if name not in ELEMENTS:
        raise place.unknown("element", name, ELEMENTS)
    _check_parent(name, around, place)
    element = ELEMENTS[name]
    for attribute in attributes:
        if attribute not in element.attributes and not (name == ROOT and attribute.startswith("xmlns:")):
            raise place.unknown(f"attribute of <{name}>", attribute, element.attributes)
    if element.required and not any(attribute in attributes for attribute in element.required):
        names = " or ".join(element.required)
        raise place.error(f"<{name}> has no {names}", todo=f'Write <{name} {element.required[0]}="…">')


def check_text(around: Sequence[str], place: Place) -> None:
    """DataError when no text may stand in the innermost element."""
    if ELEMENTS[around[-1]].empty:
        raise _not_empty(around[-1], place)


def _check_parent(name: str, around: Sequence[str], place: Place) -> None:
    if (name == ROOT) is not (not around):
        raise place.error(
            f"<{name}> is {'the outermost element' if not around else 'inside another element'}",
            todo=f"Put the whole text into one <{ROOT}>…</{ROOT}>",
        )
    if not around:
        return
    parent = ELEMENTS[around[-1]]
    if parent.empty:
        raise _not_empty(around[-1], place)
    if not parent.holds_elements:
        raise place.error(f"<{name}> is inside <{around[-1]}>", why="that takes text alone")
    if wrong := next((outer for outer in ELEMENTS[name].outside if outer in around), None):
        raise place.error(f"<{name}> is inside <{wrong}>", todo=f"Close <{wrong}> before it")


def _not_empty(name: str, place: Place) -> Exception:
    return place.error(f"<{name}> is not empty", todo=f"Write <{name} …/>")
