"""Reading a document with expat: what it says element by element, or an error with line and column.

Documents come from strangers. Document types (and with them entities and everything external) and processing
instructions are refused as soon as they are seen; depth and number of elements are limited.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NoReturn, Protocol
from xml.parsers import expat

from speechkd.errors import UsageError
from speechkd.text.ssml.elements import ROOT, check_element, check_text
from speechkd.text.ssml.place import Place, shown

MAX_DEPTH = 32
MAX_ELEMENTS = 100_000
# The first pieces are small, so that what is refused at the head of a document is refused before the rest is read.
_FIRST_PIECE = 256

_ADVICE = {
    "undefined entity": "Entities are &amp; &lt; &gt; &quot; &apos; and numbers such as &#233;",
    "not well-formed (invalid token)": "Write & as &amp; and < as &lt;; a control character or half of a surrogate "
    "pair cannot stand in XML",
    "unclosed token": "A tag, an entity or a comment ends in the middle",
    "duplicate attribute": "Write each attribute once",
    "junk after document element": f"Put the whole text into one <{ROOT}>…</{ROOT}>",
    "unclosed CDATA section": "Close it with ]]>",
}


class Handler(Protocol):
    """What is told of the document, in order."""

    def start(self, name: str, attributes: Mapping[str, str], place: Place) -> None:
        """An element begins."""
        ...

    def text(self, text: str, place: Place) -> None:
        """Text: a line, a part of one, or the character of an entity."""
        ...

    def end(self, name: str, place: Place) -> None:
        """An element ends."""
        ...


def parse(document: str, handler: Handler) -> None:
    """Tell the handler what a document says. UsageError when it is no string, DataError when it is no SSML."""
    if not isinstance(document, str):
        raise UsageError(
            f"an SSML document is text, not {type(document).__name__}", todo="Decode it first: document.decode('utf-8')"
        )
    if not document.strip("\ufeff \t\r\n"):
        raise Place(1, 1).error("the document is empty", todo=f"Write <{ROOT}>Hello.</{ROOT}>")
    reader = _Reader(handler)
    # Half of a surrogate pair becomes bytes that expat refuses, with their place.
    data = document.encode("utf-8", "surrogatepass")
    start, size = 0, _FIRST_PIECE
    while start < len(data):
        reader.feed(data[start : start + size], last=start + size >= len(data))
        start, size = start + size, 2 * size


class _Reader:
    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self._open: list[tuple[str, Place]] = []
        self._n_elements = 0
        self._parser = expat.ParserCreate("utf-8")  # whatever the document declares: it is decoded already
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text
        self._parser.StartDoctypeDeclHandler = self._doctype
        self._parser.ProcessingInstructionHandler = self._instruction

    def feed(self, piece: bytes, last: bool) -> None:
        """Read on."""
        try:
            self._parser.Parse(piece, last)
        except expat.ExpatError as error:
            self._malformed(error)

    @property
    def _place(self) -> Place:
        return Place(self._parser.CurrentLineNumber, self._parser.CurrentColumnNumber + 1)

    @property
    def _around(self) -> list[str]:
        return [name for name, _ in self._open]

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        place = self._place
        self._n_elements += 1
        if len(self._open) >= MAX_DEPTH:
            raise place.error(f"elements are more than {MAX_DEPTH} deep inside each other", todo="Close some of them")
        if self._n_elements > MAX_ELEMENTS:
            raise place.error(f"the document has more than {MAX_ELEMENTS} elements", todo="Cut it into several")
        check_element(name, attributes, self._around, place)
        self._open.append((name, place))
        self._handler.start(name, attributes, place)

    def _end(self, name: str) -> None:
        self._open.pop()
        self._handler.end(name, self._place)

    def _text(self, text: str) -> None:
        place = self._place
        if not text.isspace():
            check_text(self._around, place)
        self._handler.text(text, place)

    def _doctype(self, *_: object) -> None:
        raise self._place.error("the document has a document type", why="entities and everything external are refused",
                                todo="Leave <!DOCTYPE …> out")  # fmt: skip

    def _instruction(self, target: str, _: str) -> None:
        raise self._place.error(
            f"the document has a processing instruction {shown(target)}", todo=f"Leave <?{target[:40]} …?> out"
        )

    def _malformed(self, error: expat.ExpatError) -> NoReturn:
        place = Place(error.lineno, error.offset + 1)
        message = expat.errors.messages[error.code]
        if self._open and message in ("mismatched tag", "no element found"):
            name, begin = self._open[-1]
            raise place.error(f"<{name}> is not closed", why=f"it begins at {begin}", todo=f"Write </{name}>") from None
        raise place.error(f"this is no XML: {message}", todo=_ADVICE.get(message)) from None
