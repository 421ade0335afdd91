"""From the tokens of an utterance to the states that it may pass through, in order."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from speechkd.align.mas.search import START, pack_sources
from speechkd.align.types import SILENCE
from speechkd.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from speechkd.text import Tokens
    from speechkd.text.tokens import Word

#: States of a phone: its beginning, middle and end, each of at least one frame.
STATES_PER_PHONE = 3

#: The number of the state of silence; phones follow.
SILENCE_STATE = 0


@dataclass(frozen=True)
class Inventory:
    """All phones that an aligner knows, whatever they stand for; state 0 is silence, each phone has three more."""

    phones: tuple[str, ...]
    _number: Mapping[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_number", {phone: number for number, phone in enumerate(self.phones)})

    @classmethod
    def of(cls, texts: Iterable[Tokens]) -> Inventory:
        """Every phone of the texts and of their variants, sorted."""
        words = [word for tokens in texts for word in tokens.words]
        spellings = [phones for word in words for phones in (word.phones, *word.variants)]
        return cls(tuple(sorted({phone for phones in spellings for phone in phones})))

    def __contains__(self, phone: str) -> bool:
        return phone in self._number

    @property
    def n_states(self) -> int:
        """Number of states, silence included."""
        return 1 + STATES_PER_PHONE * len(self.phones)

    def states(self, phone: str) -> range:
        """The numbers of the states of a phone. Raises `DataError` for a phone that was not in the training."""
        if phone not in self._number:
            todo = "Train the aligner again on a corpus that holds it."
            raise DataError(f"The aligner does not know the phone {phone!r}", todo=todo)
        first = 1 + STATES_PER_PHONE * self._number[phone]
        return range(first, first + STATES_PER_PHONE)


@dataclass(frozen=True)
class Unit:
    """A phone of a word, or a silence (label "", word -1)."""

    label: str
    word: int


@dataclass
class Graph:
    """What an utterance may be a path through: S states in U units.

    `states` (S,): number of each state in the inventory. `unit_of_state` (S,). `sources` (S + 1, P): see `search`.
    `places` (S,): how many states lie before each when every word is said as listed first, `length` how many there are
    in all. Silences may be passed over; where a word has several pronunciations, a path takes one of them.
    """

    units: list[Unit]
    states: NDArray[np.int64]
    unit_of_state: NDArray[np.int64]
    places: NDArray[np.int64]
    length: int
    sources: NDArray[np.int32]

    @property
    def is_silence(self) -> NDArray[np.bool_]:
        """Which of the S states are silence."""
        return np.asarray(self.states == SILENCE_STATE)


class _Builder:
    def __init__(self, inventory: Inventory) -> None:
        self.inventory = inventory
        self.units: list[Unit] = []
        self.states: list[int] = []
        self.unit_of_state: list[int] = []
        self.places: list[int] = []
        self.length = 0
        self.rows: list[list[int]] = []
        self.reach = [START]  # where the next unit is entered from

    def silence(self) -> None:
        """Append a silence that may be passed over."""
        entered_from = self.reach
        self._add(Unit(SILENCE, -1), [SILENCE_STATE])
        self.reach = [*self.reach, *entered_from]
        self.places.append(self.length)
        self.length += 1

    def word(self, word: int, spellings: list[tuple[str, ...]]) -> None:
        """Append a word's pronunciations side by side."""
        entered_from, ends = self.reach, []
        n_listed = STATES_PER_PHONE * len(spellings[0])
        for phones in spellings:
            self.reach = entered_from
            for phone in phones:
                self._add(Unit(phone, word), self.inventory.states(phone))
            ends += self.reach
            places = np.linspace(0, n_listed - 1, STATES_PER_PHONE * len(phones)).round().astype(int)
            self.places += (self.length + places).tolist()
        self.length += n_listed
        self.reach = ends

    def _add(self, unit: Unit, states: Iterable[int]) -> None:
        self.units.append(unit)
        for state in states:
            self.rows.append(self.reach)
            self.states.append(state)
            self.unit_of_state.append(len(self.units) - 1)
            self.reach = [len(self.states) - 1]

    def graph(self) -> Graph:
        return Graph(
            units=self.units,
            states=np.asarray(self.states, np.int64),
            unit_of_state=np.asarray(self.unit_of_state, np.int64),
            places=np.asarray(self.places, np.int64),
            length=self.length,
            sources=pack_sources([*self.rows, self.reach]),
        )


def build_graph(tokens: Tokens, inventory: Inventory) -> Graph:
    """The graph of an utterance: optional silence at its opening and every pause token, words between them.

    Raises `DataError` for a text without words and for unknown phones; a variant with unknown phones is left out,
    because a path without it remains.
    """
    if not tokens.words:
        raise DataError("Nothing to align", why="the text has no word")
    builder, before = _Builder(inventory), -1
    for word in tokens.word_index:
        if word < 0:
            builder.silence()
        elif word != before:
            builder.word(word, _spellings(tokens.words[word], inventory))
        before = word
    return builder.graph()


def _spellings(word: Word, inventory: Inventory) -> list[tuple[str, ...]]:
    return [word.phones, *(phones for phones in word.variants if all(phone in inventory for phone in phones))]


def segments(path: NDArray[Any], graph: Graph) -> list[tuple[Unit, int, int]]:
    """(unit, first frame, frame after the last) of every unit that a path (F,) of states passes through, in order."""
    units = graph.unit_of_state[path]
    starts = np.flatnonzero(np.diff(units, prepend=-1))
    ends = [*starts[1:], len(units)]
    return [(graph.units[units[start]], int(start), int(end)) for start, end in zip(starts, ends, strict=True)]
