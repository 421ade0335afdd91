"""From the blocks of a document to what is said: sentence by sentence, with a prosody for each word."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise

from speechkd.errors import NothingToSpeak
from speechkd.text.factory import Frontend
from speechkd.text.line import NEUTRAL, SENTENCE_PAUSE_S, Item, Line, Mark, Prosody, Silence
from speechkd.text.long_text import cut_words, pauses_of
from speechkd.text.sentences import Sentence, iter_sentences
from speechkd.text.ssml.blocks import Block
from speechkd.text.ssml.together import align_words
from speechkd.text.tokens import Word, lay_out

_Point = tuple[int, Mark | Silence]


def items_of_block(block: Block, frontend: Frontend) -> Iterator[Item]:
    """The lines of a block with its marks and silences, in order; each sentence is read when it is asked for."""
    given = iter(block.given)
    points = deque(block.points)
    for sentence in _sentences(block):
        yield from (point for _, point in _taken(points, sentence.start + 1))
        inside = _taken(points, sentence.start + len(sentence.text))
        yield from _items_of_sentence(block, sentence, inside, frontend, given)
    yield from (point for _, point in points)


def _taken(points: deque[_Point], end: int) -> list[_Point]:
    """The points before a place of the text, which are taken out."""
    taken: list[_Point] = []
    while points and points[0][0] < end:
        taken.append(points.popleft())
    return taken


def _sentences(block: Block) -> Iterator[Sentence]:
    if not block.whole:
        yield from iter_sentences(block.text)
    elif plain := block.text.strip():
        yield Sentence(plain, len(block.text) - len(block.text.lstrip()), ends_paragraph=False)


def _items_of_sentence(
    block: Block, sentence: Sentence, points: Sequence[_Point], frontend: Frontend, given: Iterator[Word | None]
) -> Iterator[Item]:
    """The lines of one sentence: more than one where a silence interrupts it."""
    try:
        read = frontend.tokens(sentence.text)
    except NothingToSpeak:
        yield from (point for _, point in points)
        return
    words = [word.text for word in cut_words(read).words]
    parts = _Parts.of(block, sentence, [place for place, _ in points], words, frontend)
    prosody = parts.prosody if any(each != NEUTRAL for each in parts.prosody) else ()
    spoken = cut_words(replace(read, words=tuple(_given(read.words, given))))
    line = Line(spoken, prosody, SENTENCE_PAUSE_S, voice=block.voice, speaker=block.speaker)
    yield from _interrupted(line, [(parts.words[place], point) for place, point in points])


def _given(words: Sequence[Word], given: Iterator[Word | None]) -> Iterator[Word]:
    """The words, and for phonemes the words that they stand for."""
    for word in words:
        yield (next(given, None) or word) if word.source == "inline" else word


def _interrupted(line: Line, points: Sequence[_Point]) -> Iterator[Item]:
    """The line with its marks, cut at each silence; `points` stand before words of the line, rising."""
    start, n_words = 0, len(line.tokens.words)
    behind = next(
        (i for i, (place, point) in enumerate(points) if place == n_words and isinstance(point, Silence)), None
    )
    marks: list[tuple[str, int]] = []
    for place, point in points[:behind]:
        if isinstance(point, Mark):
            marks.append((point.name, place - start))
        elif start < place:
            # No silence, asked for inside a sentence, is what would be there anyway.
            if point.duration_s:
                yield _part(line, start, place, marks)
                yield point
                start, marks = place, []
        else:
            yield from (Mark(name) for name, _ in marks)
            yield point
            marks = []
    yield _part(line, start, n_words, marks)
    if behind is not None:
        yield from (point for _, point in points[behind:])


def _part(line: Line, start: int, end: int, marks: Sequence[tuple[str, int]]) -> Line:
    """The words from `start` up to `end` of a line as one of their own; the sentence goes on behind it, or ends as the
    line does.
    """
    words = line.tokens.words
    pauses = pauses_of(line.tokens)
    pause_s = line.pause_s if end == len(words) else 0.0
    return replace(
        line,
        tokens=lay_out(words[start:end], pauses[start:end], open_end=True),
        prosody=line.prosody[start:end],
        pause_s=pause_s,
        marks=tuple(marks),
    )


@dataclass(frozen=True)
class _Parts:
    """The parts of a sentence: the `prosody` of each of its words, and the number of the word at each place where
    something stands.
    """

    prosody: tuple[Prosody, ...]
    words: Mapping[int, int]

    @classmethod
    def of(
        cls, block: Block, sentence: Sentence, places: Sequence[int], together: Sequence[str], frontend: Frontend
    ) -> _Parts:
        """Those between the elements and the given places inside a sentence."""
        end = sentence.start + len(sentence.text)
        first, last = (bisect_right(block.spans, place, key=_start_of_span) for place in (sentence.start, end - 1))
        cuts = sorted({sentence.start, *places, *(start for start, _ in block.spans[first:last])})
        texts = [block.text[a:b] for a, b in pairwise((*cuts, end))]
        if len(texts) == 1:
            return cls((_prosody_at(block, sentence.start),) * len(together), {})
        apart = [_word_texts(text, frontend) for text in texts]
        begins = list(accumulate(map(len, apart), initial=0))
        aligned = align_words([word for words in apart for word in words], together)
        part_of_word = [max(0, bisect_right(begins, word) - 1) for word in aligned.apart_of]
        each = [_prosody_at(block, cut) for cut in cuts]
        words = (aligned.together_of[begin] for begin in begins)
        return cls(tuple(each[part] for part in part_of_word), dict(zip(cuts, words, strict=False)))


def _start_of_span(span: tuple[int, Prosody]) -> int:
    return span[0]


def _prosody_at(block: Block, place: int) -> Prosody:
    number = bisect_right(block.spans, place, key=_start_of_span)
    return block.spans[number - 1][1] if number else NEUTRAL


def _word_texts(text: str, frontend: Frontend) -> list[str]:
    """The words of a part of a sentence, read alone."""
    try:
        return [word.text for word in cut_words(frontend.tokens(text)).words] if text.strip() else []
    except NothingToSpeak:
        return []
