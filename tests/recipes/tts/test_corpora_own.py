"""Folders of one's own and GRID: columns found out or declared, films with words and times, and what is wrong."""

from __future__ import annotations

import json
import wave
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from recipes.tts.common.corpora import CORPORA, CorpusKind, Layout, guess_corpus, read_corpus
from recipes.tts.common.corpora.grid import spelled
from speechkd.cli.data import app
from speechkd.data.corpus import Corpus, Utterance
from speechkd.data.manifests import write_manifests, write_videos
from speechkd.data.validate import validate_corpus
from speechkd.errors import DataError, UsageError
from tests.data.films import film
from tests.recipes.tts.published import SENTENCES, record, write

TABLES: dict[str, tuple[str, str]] = {
    # name of the file, its lines
    "bars": ("metadata.csv", "a|{0}\nb|{1}\n"),
    "speakers": ("metadata.csv", "a|ann|{0}\nb|bob|{1}\n"),
    "commas_and_quotes": ("metadata.csv", 'a,"{0}"\nb,"{1}"\n'),
    "named": ("metadata.csv", "path,speaker_id,age,sentence\nwavs/a.wav,ann,30,{0}\nwavs/deep/b.flac,bob,40,{1}\n"),
    "named_in_another_order": ("metadata.tsv", "text\tspk\tfile\n{0}\tann\ta.wav\n{1}\tbob\tb.flac\n"),
    "tabs": ("metadata.txt", "a\t{0}\nb\t{1}\n"),
}


def make_folder(folder: Path, name: str, lines: str) -> Path:
    record(folder / "wavs" / "a.wav", 22_050)
    record(folder / "wavs" / "deep" / "b.flac", 22_050)
    write(folder / name, lines)
    return folder


@pytest.mark.parametrize("name", TABLES)
def test_columns_are_found_out(tmp_path: Path, name: str) -> None:
    file, lines = TABLES[name]
    first, second = "Well, please call Stella.", "Six spoons of snow peas."
    if name == "named":
        first = first.replace(",", "")
    corpus = read_corpus("folder", make_folder(tmp_path, file, lines.format(first, second)))
    assert corpus.problems == () and corpus.unlisted == ()
    speakers = ("ann", "bob") if "named" in name or name == "speakers" else ("", "")
    assert [(each.id, each.text, each.speaker) for each in corpus.utterances] == [
        ("a", first, speakers[0]), ("b", second, speakers[1])
    ]  # fmt: skip


def test_columns_are_declared(tmp_path: Path) -> None:
    folder = make_folder(tmp_path, "metadata.csv", "x;ann|a|Please call.|no\ny|b|Six spoons.|no\n")
    options = {"columns": "speaker,id,text,-", "delimiter": "bar", "language": "en-gb"}
    (first, second) = read_corpus("folder", folder, options).utterances
    assert (first.id, first.speaker, first.text, first.language) == ("a", "x;ann", "Please call.", "en-gb")
    assert (second.id, second.speaker) == ("b", "y")
    with pytest.raises(DataError, match="where id and text are"):
        read_corpus("folder", folder, {"columns": "speaker,text"})
    with pytest.raises(UsageError, match="delimiter is 'semicolon'"):
        read_corpus("folder", folder, {"delimiter": "semicolon"})


def test_raw_texts_are_not_taken_for_speakers(tmp_path: Path) -> None:
    lines = "".join(f"id{i}|{text} 5|{text} five\n" for i, text in enumerate((*SENTENCES, "One more.")))
    with pytest.raises(DataError, match=r"Is the second column a speaker\?.*columns=id,raw,text"):
        read_corpus("folder", make_folder(tmp_path, "metadata.csv", lines))


def make_grid(folder: Path) -> Path:
    """Two speakers in two of the published layouts, s1 with alignments below it, s2 with those and sound of its own."""
    for speaker, place, align in (("s1", "s1", "s1/align"), ("s2", "s2/video/mpg_6000", "alignments/s2")):
        for name in ("bbaf2n", "lwwz7a"):
            path = folder / place / f"{name}.mpg"
            write(path, "")
            path.write_bytes(film(width=360, height=288, pictures=75))
            record(folder / "audio_25k" / speaker / f"{name}.wav", 25_000, 3.0)
            words = (spelled(name) or "").split()
            times = [f"{5000 + 9000 * i} {14000 + 9000 * i} {word}" for i, word in enumerate(words)]
            write(folder / align / f"{name}.align", "\n".join(["0 5000 sil", *times, "59000 74500 sil"]) + "\n")
    write(folder / "__MACOSX" / "s1" / "._bbaf2n.mpg", "left by an archiver")
    return folder


def test_grid(tmp_path: Path) -> None:
    folder = make_grid(tmp_path / "GRID")
    assert guess_corpus(folder) == "grid"
    corpus = read_corpus("grid", folder)
    assert {each.severity for each in validate_corpus(corpus).problems} == {"info"}
    assert [(each.id, each.text, each.speaker) for each in corpus.utterances] == [
        (f"{speaker}_{name}", text, speaker)
        for speaker in ("s1", "s2")
        for name, text in (("bbaf2n", "bin blue at f two now"), ("lwwz7a", "lay white with z seven again"))
    ]
    assert corpus.words["s2_bbaf2n"][:2] == ((0.2, 0.56, "bin"), (0.56, 0.92, "blue"))
    write_manifests(corpus, tmp_path)
    write_videos(corpus, tmp_path)
    rows = [json.loads(line) for line in (tmp_path / "videos.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [row["id"] for row in rows] == [each.id for each in corpus.utterances]
    assert (rows[2]["video"], rows[2]["frames"], rows[2]["fps"]) == ("s2/video/mpg_6000/bbaf2n.mpg", 75, 25.0)
    assert rows[2]["words"][0] == [0.2, 0.56, "bin"] and rows[2]["speaker"] == "s2"
    assert {each.speaker for each in read_corpus("grid", folder, {"speakers": "s2"}).utterances} == {"s2"}


def test_grid_faults(tmp_path: Path) -> None:
    folder = make_grid(tmp_path / "GRID")
    (folder / "s1/align/bbaf2n.align").unlink()
    write(folder / "s1/align/lwwz7a.align", "0 5000 sil\n5000 9000 bin\n9000 10000 red\n")
    write(folder / "alignments/s2/bbaf2n.align", "0 5000 sil\n4000 9000 bin\n")
    write(folder / "alignments/s2/prac1s.align", "0 5000 sil\n")
    (folder / "s2/video/mpg_6000/lwwz7a.mpg").write_bytes(b"no film")
    record(folder / "audio_25k/s1/odd.wav", 25_000)
    (folder / "s1/odd.mpg").write_bytes(film(width=360, height=288, pictures=75))
    found = {(str(p.severity), p.kind, p.id) for p in validate_corpus(read_corpus("grid", folder)).problems}
    assert found == {
        ("warning", "missing_alignment", "s1_bbaf2n"),
        ("error", "name_mismatch", "s1_lwwz7a"),
        ("error", "bad_alignment", "s2_bbaf2n"),
        ("error", "undecodable", "s2_lwwz7a"),
        ("warning", "missing_video", "s2_prac1s"),
        ("error", "no_transcript", "s1_odd"),
    }


def test_real_grid(shared_data: Callable[[str], Path]) -> None:
    corpus = read_corpus("grid", shared_data("data/lipreading/grid_s1/raw"))
    assert len(corpus.utterances) == 8 and corpus.problems == ()
    (first, *_) = corpus.utterances
    assert (first.id, first.text) == ("bbaf2n", "bin blue at f two now")
    assert corpus.words["bbaf2n"][0] == (0.95, 1.18, "bin")  # 23750 and 29500 of 25,000 to the second
    report = validate_corpus(corpus)
    assert report.errors == () and {p.kind for p in report.problems} == {"channels"}


@pytest.mark.parametrize("name", ["bbaf2", "bbaf2nn", "xbaf2n", "bbaw2n", "BBAF2N"])
def test_names_that_spell_nothing(name: str) -> None:
    assert spelled(name) is None


def read_odd(folder: Path) -> Corpus:
    texts = json.loads((folder / "all.json").read_text(encoding="utf-8"))
    return Corpus(folder, tuple(Utterance(id_, text, folder / f"{id_}.wav", 1) for id_, text in texts.items()))


def test_a_new_corpus_is_a_reader_and_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With its line in the table it is listed, shown, found out, checked and made into an experiment."""
    from speechkd.cli.main import main

    layout = Layout("odd/\n  all.json   texts by id", ("all.json",))
    monkeypatch.setitem(CORPORA, "odd", CorpusKind(read_odd, layout=layout, title="An odd corpus", licence="CC0"))
    write(tmp_path / "odd" / "all.json", json.dumps({"a": "One tree."}))
    with wave.open(str(tmp_path / "odd" / "a.wav"), "wb") as file:
        file.setparams((1, 2, 22_050, 0, "NONE", ""))
        file.writeframes(bytes(range(1, 201)) * 220)
    assert "An odd corpus" in CliRunner().invoke(app, ["list"]).output
    assert "all.json   texts by id" in CliRunner().invoke(app, ["layout", "odd"]).output
    assert guess_corpus(tmp_path / "odd") == "odd"
    assert "1 utterances" in CliRunner().invoke(app, ["validate", str(tmp_path / "odd")]).output
    assert main(["new", "me", "--corpus", str(tmp_path / "odd"), "--folder", str(tmp_path / "egs")]) == 0
    conf = (tmp_path / "egs/me/tts1/conf/fastspeech2.yaml").read_text(encoding="utf-8")
    assert 'name: "odd"' in conf and 'title: "An odd corpus"' in conf and 'licence: "CC0"' in conf


@pytest.mark.parametrize("name", CORPORA)
def test_every_corpus_has_an_experiment_of_its_own(tmp_path: Path, name: str) -> None:
    from recipes.tts.fastspeech2 import RECIPE
    from speechkd.cli.main import main
    from speechkd.config import load_config

    folder = tmp_path / "corpus"
    for need in CORPORA[name].layout.needs if CORPORA[name].layout else ():
        write(folder / need.split("|")[0].replace("**", "s1").replace("*", "x"), "")
    arguments = ["new", "me", "--layout", name, "--corpus", str(folder), "--folder", str(tmp_path / "egs")]
    assert main(arguments) == 0
    cfg = load_config(tmp_path / "egs/me/tts1/conf/fastspeech2.yaml", RECIPE.config)
    assert cfg.corpus.name == ("me" if name == "ljspeech" else name) and cfg.corpus.dir == folder
    assert main([*arguments[:1], "again", *arguments[2:4], "--folder", str(tmp_path / "egs")]) == (
        0 if CORPORA[name].archive else 2
    )
