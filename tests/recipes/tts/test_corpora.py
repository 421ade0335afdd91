"""Readers of the known corpora: against lhotse's recipes on sound folders, and problem by problem on broken ones."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from recipes.tts.common.corpora import CORPORA, guess_corpus, read_corpus
from speechkd.data.corpus import Corpus
from speechkd.data.manifests import read_manifests, speaker_table, write_manifests
from speechkd.data.report_html import write_html
from speechkd.data.splits import split_by_speaker, split_ids, split_officially
from speechkd.data.validate import validate_corpus
from speechkd.errors import DataError, UsageError
from tests.recipes.tts.published import SENTENCES, make_hifitts, make_libritts, make_vctk, record, write

lhotse_recipes = pytest.importorskip("lhotse.recipes")

MAKERS: dict[str, Callable[[Path], Path]] = {
    "vctk": lambda folder: make_vctk(folder / "VCTK-Corpus-0.92"),
    "libritts": lambda folder: make_libritts(folder / "LibriTTS"),
    "hifitts": lambda folder: make_hifitts(folder / "hi_fi_tts_v0"),
}


def problems(corpus: Corpus) -> set[tuple[str, str, str]]:
    return {(str(each.severity), each.kind, each.id) for each in validate_corpus(corpus).problems}


def rows(manifests: dict[str, Any]) -> set[tuple[str, str, str, str]]:
    """(recording, text, speaker, file) of what a recipe of lhotse returns."""
    files = {each.id: each.sources[0].source for each in manifests["recordings"]}
    return {
        (each.recording_id, each.text, each.speaker, files[each.recording_id]) for each in manifests["supervisions"]
    }


def ours(corpus: Corpus) -> set[tuple[str, str, str, str]]:
    return {(each.audio_path.stem, each.text, each.speaker, str(each.audio_path)) for each in corpus.utterances}


@pytest.mark.parametrize("name", MAKERS)
def test_sound_corpora(tmp_path: Path, name: str) -> None:
    folder = MAKERS[name](tmp_path)
    assert guess_corpus(folder) == name and CORPORA[name].layout is not None
    corpus = read_corpus(name, folder)
    assert not [each for each in validate_corpus(corpus).problems if each.severity != "info"]
    assert all(each.speaker in corpus.speakers and each.language == "en" for each in corpus.utterances)
    assert [each.id for each in corpus.utterances] == [each.id for each in read_corpus(name, folder).utterances]


def test_vctk_as_lhotse_reads_it(tmp_path: Path) -> None:
    folder = make_vctk(tmp_path / "VCTK-Corpus-0.92")
    for mic in ("mic1", "mic2"):
        theirs = lhotse_recipes.prepare_vctk(folder, use_edinburgh_vctk_url=True, mic_id=mic)
        corpus = read_corpus("vctk", folder, {"mic": mic})
        assert ours(corpus) == rows(theirs) and len(corpus.utterances) == {"mic1": 15, "mic2": 10}[mic]
        genders = {each.speaker: each.gender for each in theirs["supervisions"]}
        assert {name: corpus.speakers[name]["gender"] for name in genders} == genders
    assert problems(corpus) == {("info", "missing_recording", f"p280_{index:03d}") for index in range(1, 6)} | {
        ("info", "same_text", f"p225_{index:03d}") for index in range(1, 5)
    }
    assert corpus.speakers["p226"] == {"age": "21", "gender": "M", "accent": "English", "region": "Southern  England"}


def test_vctk_gaps_and_faults(tmp_path: Path) -> None:
    folder = make_vctk(tmp_path / "VCTK-Corpus-0.92", ("p225", "p315"))
    sound = folder / "wav48_silence_trimmed" / "p225"
    shutil.rmtree(folder / "txt" / "p315")
    (sound / "p225_001_mic1.flac").unlink()
    (folder / "txt" / "p225" / "p225_002.txt").unlink()
    write(folder / "txt" / "p225" / "p225_003.txt", "\n")
    (folder / "txt" / "p225" / "p225_004.txt").write_bytes("café".encode("latin-1"))
    write(folder / "txt" / "p225" / "._p225_005.txt", "left by an archiver")
    assert problems(read_corpus("vctk", folder)) == {
        *(("info", "no_transcript", f"p315_{index:03d}") for index in range(1, 6)),
        ("error", "missing_recording", "p225_001"),
        ("warning", "no_transcript", "p225_002_mic1"),
        ("error", "empty_transcript", "p225_003"),
        ("error", "not_utf8", "p225_004"),
    }


def test_vctk_of_the_older_release(tmp_path: Path) -> None:
    write(tmp_path / "txt" / "p225" / "p225_001.txt", SENTENCES[0])
    record(tmp_path / "wav48" / "p225" / "p225_001.wav", 48_000)
    (utterance,) = read_corpus("vctk", tmp_path).utterances
    assert (utterance.id, utterance.text, utterance.speaker) == ("p225_001", SENTENCES[0], "p225")


def test_libritts_as_lhotse_reads_it(tmp_path: Path) -> None:
    folder = make_libritts(tmp_path / "LibriTTS")
    theirs: set[tuple[str, str, str, str]] = set()
    for subset in ("dev-clean", "test-clean", "train-clean-100"):
        theirs |= rows(lhotse_recipes.prepare_libritts(folder, subset)[subset])
    corpus = read_corpus("libritts", folder)
    assert ours(corpus) == theirs and len(corpus.utterances) == 12
    parts = split_officially(corpus.utterances)
    assert {part: {id_.split("_")[0] for id_ in ids} for part, ids in parts.items()} == {
        "train": {"14"}, "valid": {"84"}, "test": {"1089"}, "left_out": {"14", "84"},
    }  # fmt: skip
    assert read_corpus("libritts-r", folder, {"text": "original"}).utterances[0].text == f"{SENTENCES[0]} (no. 1)"
    some = read_corpus("libritts", folder, {"subsets": "dev-clean, dev-other"})
    assert {each.speaker for each in some.utterances} == {"84"}
    assert ("error", "missing_subset", "") in problems(some)


def test_hifitts_as_lhotse_reads_its_parts(tmp_path: Path) -> None:
    folder = make_hifitts(tmp_path / "hi_fi_tts_v0")
    corpus = read_corpus("hifitts", folder)
    names = {id_: facts["name"] for id_, facts in corpus.speakers.items()}
    theirs = set()
    for path in folder.glob("*.json"):
        reader, _, quality, _ = path.stem.split("_")
        recordings, supervisions = lhotse_recipes.hifitts.prepare_single_partition(path, folder, reader, quality)
        files = {each.id: each.sources[0].source for each in recordings}
        theirs |= {(each.speaker, each.custom["text_punct"], files[each.recording_id]) for each in supervisions}
    assert {(names[each.speaker], each.text, str(each.audio_path)) for each in corpus.utterances} == theirs
    assert corpus.utterances[0].id == "6097_other_10425_book_00_author_0000"
    parts = split_officially(corpus.utterances)
    assert {id_.split("_")[4] for id_ in parts["test"]} == {"02"} and {id_.split("_")[4] for id_ in parts["valid"]} == {
        "01"
    }


def test_hifitts_line_by_line(tmp_path: Path) -> None:
    folder = make_hifitts(tmp_path / "hi_fi_tts_v0")
    path = folder / "92_manifest_clean_train.json"
    lines = path.read_text(encoding="utf-8").splitlines()
    more = [
        lines[0],
        "{",
        "[" * 100_000,
        '{"text": "no file"}',
        '{"audio_filepath": "../../etc/passwd.wav", "text_normalized": "No."}',
        '{"audio_filepath": "audio/x/gone.flac", "text_normalized": "Gone."}',
        lines[1].replace('"text_normalized"', '"other"').replace("_0001", "_0007"),
    ]
    record(folder / "audio/92_clean/10425/book_00_author_0007.flac", 44_100)
    record(folder / "audio/92_clean/10425/nobody_names_this.flac", 44_100)
    path.write_text("\n".join(lines + more), encoding="utf-8")
    found = [each for each in validate_corpus(read_corpus("hifitts", folder)).problems if each.severity != "info"]
    assert [(each.kind, each.where) for each in found] == [
        ("duplicate_id", f"{path.name}:3:1"),
        ("bad_json", f"{path.name}:4:1"),
        ("bad_json", f"{path.name}:5:1"),
        ("bad_json", f"{path.name}:6:1"),
        ("bad_id", f"{path.name}:7:1"),
        ("missing_recording", f"{path.name}:8:1"),
        ("bad_json", f"{path.name}:9:1"),
        ("no_transcript", "audio/92_clean/10425/nobody_names_this.flac"),
    ]


@pytest.mark.parametrize("name", MAKERS)
def test_speakers_go_through_the_manifests(tmp_path: Path, name: str) -> None:
    corpus = read_corpus(name, MAKERS[name](tmp_path))
    for copy in ("a", "b"):
        (tmp_path / copy).mkdir()
        write_manifests(corpus, tmp_path / copy)
    for file in ("recordings.jsonl", "supervisions.jsonl", "speakers.json"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
        assert str(tmp_path).encode() not in (tmp_path / "a" / file).read_bytes()
    again = {each.id: each for each in read_manifests(tmp_path / "a", corpus.folder)}
    fields = ("text", "speaker", "language", "part", "audio_path")
    for each in corpus.utterances:
        assert [getattr(again[each.id], field) for field in fields] == [getattr(each, field) for field in fields]
    table = speaker_table(corpus)
    assert [row["id"] for row in table] == sorted({each.speaker for each in corpus.utterances})
    assert sum(row["utterances"] for row in table) == len(corpus.utterances) and all("gender" in row for row in table)


def test_a_sentence_of_many_speakers_stays_on_one_side(tmp_path: Path) -> None:
    corpus = read_corpus("vctk", make_vctk(tmp_path / "VCTK-Corpus-0.92", tuple(f"p{n}" for n in range(225, 229)), 3))
    texts = {each.id: each.text for each in corpus.utterances}
    parts = split_ids(texts, 3, 6, seed=5)
    sides = [{texts[id_] for id_ in parts[part]} for part in ("train", "valid", "test")]
    assert not (sides[0] & sides[1] or sides[0] & sides[2] or sides[1] & sides[2]) and all(sides)
    unseen = split_by_speaker(corpus.utterances, 1, 1, seed=5)
    assert len(unseen["test"]) == 1 and "Only" in texts[unseen["test"][0]]


def test_wrong_folders_say_where_the_corpus_is(tmp_path: Path) -> None:
    folder = make_vctk(tmp_path / "data" / "VCTK-Corpus-0.92")
    for given, hint in (
        (tmp_path, f"This is the parent folder: use {folder}"),
        (tmp_path / "data", f"This is the parent folder: use {folder}"),
        (folder / "txt" / "p225", f"This is a folder inside the corpus: use {folder}"),
    ):
        with pytest.raises(DataError) as caught:
            read_corpus("vctk", given)
        assert hint in str(caught.value) and "missing: txt/*/*.txt" in str(caught.value)
    shutil.rmtree(folder / "txt")
    with pytest.raises(
        DataError, match=r"missing: txt/\*/\*.txt; found: speaker-info.txt, wav48_silence_trimmed/\. .*data layout vctk"
    ):
        read_corpus("vctk", folder)
    with pytest.raises(DataError, match="no such folder"):
        read_corpus("vctk", tmp_path / "none")
    with pytest.raises(UsageError, match=r"no option 'mike'.*mic"):
        read_corpus("vctk", folder, {"mike": "mic1"})


def test_names_that_cannot_be_written_down(tmp_path: Path) -> None:
    folder = make_vctk(tmp_path / "VCTK-Corpus-0.92", ("p225",))
    for stem in ("p225_\x1b[31m", os.fsdecode(b"p225_\xff")):
        write(folder / "txt" / "p225" / f"{stem}.txt", "Words.")
        record(tmp_path / "sound.flac", 48_000)
        (tmp_path / "sound.flac").rename(folder / "wav48_silence_trimmed" / "p225" / f"{stem}_mic1.flac")
    report = validate_corpus(read_corpus("vctk", folder))
    assert [each.kind for each in report.errors] == ["bad_id", "bad_id"] and report.utterances == 5
    assert report.to_text().replace("\n", "").isprintable()
    report.write_json(tmp_path / "report.json")
    write_html(report, tmp_path / "report.html")
    assert "p225_\\\\xff" in (tmp_path / "report.json").read_text(encoding="utf-8")
    assert "p225_\\x1b[31m" in (tmp_path / "report.html").read_text(encoding="utf-8")
