"""Which ways lead through an utterance."""

from __future__ import annotations

import numpy as np
import pytest

from speechkd.align.mas.graph import STATES_PER_PHONE, Graph, Inventory, build_graph, segments
from speechkd.align.mas.search import START
from speechkd.errors import DataError
from speechkd.text.tokens import Tokens, Word, lay_out

THE = Word("the", ("DH", "AH0"), "lexicon", (("DH", "IY0"), ("TH",)))
OX = Word("ox", ("AA1", "K", "S"), "lexicon")


def ways(graph: Graph) -> list[list[int]]:
    """Every sequence of states from the start to the end, found backwards and without staying."""
    found: list[list[int]] = []

    def walk(state: int, after: list[int]) -> None:
        for source in graph.sources[state].tolist():
            if source == START:
                found.append(after)
            elif source >= 0:
                walk(source, [source, *after])

    walk(len(graph.states), [])
    return found


def reading(graph: Graph, way: list[int]) -> str:
    return " ".join(unit.label or "_" for unit, _, _ in segments(np.asarray(way), graph))


def test_silences_are_optional_and_every_pronunciation_is_a_way() -> None:
    tokens = lay_out([THE], ["."])
    graph = build_graph(tokens, Inventory.of([tokens]))
    spellings = [" ".join(phones) for phones in (THE.phones, *THE.variants)]
    expected = {f"{before}{said}{after}" for said in spellings for before in ("", "_ ") for after in ("", " _")}
    assert {reading(graph, way) for way in ways(graph)} == expected


def test_words_follow_one_another_with_their_states_in_order() -> None:
    tokens = lay_out([THE, OX], ["|", "."])
    inventory = Inventory.of([tokens])
    graph = build_graph(tokens, inventory)
    way = next(way for way in ways(graph) if reading(graph, way) == "TH _ AA1 K S")
    spoken = [state for phone in ("AA1", "K", "S") for state in inventory.states(phone)]
    assert graph.states[way].tolist() == [*inventory.states("TH"), 0, *spoken]
    assert graph.is_silence[way].tolist() == [False] * 3 + [True] + [False] * 9
    assert [unit.word for unit, _, _ in segments(np.asarray(way), graph)] == [0, -1, 1, 1, 1]


def test_places_count_the_states_of_the_first_pronunciations() -> None:
    tokens = lay_out([THE, OX], ["|", "."])
    graph = build_graph(tokens, Inventory.of([tokens]))
    assert graph.length == 3 + STATES_PER_PHONE * 5
    way = next(way for way in ways(graph) if reading(graph, way) == "_ DH AH0 _ AA1 K S _")
    assert graph.places[way].tolist() == list(range(graph.length))
    short = next(way for way in ways(graph) if reading(graph, way) == "_ TH _ AA1 K S _")
    assert graph.places[short].tolist() == [0, 1, 3, 6, *range(7, graph.length)]


def test_segments_are_runs_of_one_unit() -> None:
    tokens = lay_out([OX], ["."])
    graph = build_graph(tokens, Inventory.of([tokens]))
    path = np.array([0, 0, 1, 2, 3, 3, 4, 5, 6, 7, 8, 9])
    assert [(unit.label, start, end) for unit, start, end in segments(path, graph)] == [
        ("", 0, 2),
        ("AA1", 2, 6),
        ("K", 6, 9),
        ("S", 9, 12),
    ]


def test_an_unknown_phone_is_an_error_in_a_word_and_left_out_in_a_variant() -> None:
    tokens = lay_out([THE], ["."])
    without_th = build_graph(tokens, Inventory(("AH0", "DH", "IY0")))
    assert {reading(without_th, way) for way in ways(without_th)} == {
        f"{before}{said}{after}" for said in ("DH AH0", "DH IY0") for before in ("", "_ ") for after in ("", " _")
    }
    with pytest.raises(DataError, match="does not know the phone 'AH0'"):
        build_graph(tokens, Inventory(("DH", "IY0", "TH")))


def test_a_text_without_words_is_an_error() -> None:
    with pytest.raises(DataError, match="no word"):
        build_graph(Tokens(("^",), (-1,), ()), Inventory(("AH0",)))
