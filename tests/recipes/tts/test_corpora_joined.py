"""Several corpora of one voice as one of several: who speaks, where things stand, and what does not fit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from recipes.tts.common.corpora import guess_corpus, read_corpus
from speechkd.data.manifests import iter_manifests, write_manifests
from speechkd.data.splits import split_ids
from speechkd.data.validate import validate_corpus
from speechkd.errors import DataError, UsageError
from tests.recipes.tts.published import SENTENCES, record, write


def make(folder: Path, **corpora: dict[str, str]) -> Path:
    """A folder of corpora: texts by id."""
    for name, texts in corpora.items():
        write(folder / name / "metadata.csv", "".join(f"{id_}|{text}\n" for id_, text in texts.items()))
        for id_ in texts:
            record(folder / name / "wavs" / f"{id_}.wav", 22_050)
    return folder


@pytest.fixture
def pair(tmp_path: Path) -> Path:
    return make(tmp_path / "both", ann={"a1": SENTENCES[0], "a2": SENTENCES[1]}, ben={"b1": SENTENCES[0]})


def test_each_corpus_has_its_speaker(pair: Path, tmp_path: Path) -> None:
    corpus = read_corpus("joined", pair)
    assert [(each.id, each.speaker) for each in corpus.utterances] == [("a1", "ann"), ("a2", "ann"), ("b1", "ben")]
    assert corpus.problems == () and corpus.text_place(corpus.utterances[2]) == "ben/metadata.csv:1"
    assert not validate_corpus(corpus).errors
    named = read_corpus("joined", pair, {"folders": "ben, ann", "speakers": "Benjamin,Anna"})
    assert {each.id: each.speaker for each in named.utterances} == {"a1": "Anna", "a2": "Anna", "b1": "Benjamin"}
    assert {each.speaker for each in read_corpus("joined", pair, {"folders": "ann"}).utterances} == {"ann"}
    write_manifests(named, tmp_path)
    found = {each.id: (each.speaker, each.audio_path) for each in iter_manifests(tmp_path, pair)}
    assert found["b1"] == ("Benjamin", pair / "ben/wavs/b1.wav") and found["b1"][1].is_file()


def test_problems_stand_where_they_are(pair: Path) -> None:
    (pair / "ann/wavs/a2.wav").unlink()
    record(pair / "ben/wavs/stray.wav", 22_050)
    corpus = read_corpus("joined", pair)
    (problem,) = corpus.problems
    assert (problem.kind, problem.where) == ("missing_recording", "ann/metadata.csv:2:1")
    assert [path.name for path in corpus.unlisted] == ["stray.wav"]


def test_an_id_of_two_corpora_is_a_problem_of_the_second(tmp_path: Path) -> None:
    folder = make(tmp_path, ann={"x1": SENTENCES[0]}, ben={"x1": SENTENCES[1], "x2": SENTENCES[2]})
    corpus = read_corpus("joined", folder)
    assert [(each.id, each.speaker) for each in corpus.utterances] == [("x1", "ann"), ("x2", "ben")]
    (problem,) = corpus.problems
    assert (problem.kind, problem.id, problem.where) == ("duplicate_id", "x1", "ben/metadata.csv:1:1")
    assert "ann" in problem.what and validate_corpus(corpus).errors


@pytest.mark.parametrize("speakers", ["Anna", "Anna,Anna", "a,b,c"])
def test_speakers_must_fit_the_folders(pair: Path, speakers: str) -> None:
    with pytest.raises(UsageError, match="a speaker of its own"):
        read_corpus("joined", pair, {"speakers": speakers})


def test_folders_that_are_no_corpora_are_named(pair: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="Not a ljspeech corpus"):
        read_corpus("joined", pair, {"folders": "ann,cat"})
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no corpus to join"):
        read_corpus("joined", tmp_path / "empty")


def test_it_is_never_guessed(pair: Path) -> None:
    """A folder above a corpus is more often a slip."""
    assert guess_corpus(pair) == "ljspeech"


def test_what_is_held_out_of_one_corpus_is_held_out_of_both(shared_data: Callable[[str], Path]) -> None:
    """As egs/joined says: its test utterances teach neither of the models of one voice."""
    folder = shared_data("data/speech")
    names = {"kathleen1032": (24, 48), "ljspeech300": (16, 32)}
    joined = read_corpus("joined", folder, {"folders": ",".join(names)})
    test = set(split_ids({each.id: each.text for each in joined.utterances}, 40, 80, 0)["test"])
    for name, (valid, held_out) in names.items():
        alone = split_ids(
            {each.id: each.text for each in read_corpus("ljspeech", folder / name).utterances}, valid, held_out, 0
        )
        assert not test & set(alone["train"]) and len(test & set(alone["test"])) >= 15
