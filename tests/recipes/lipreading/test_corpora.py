"""Each layout written anew, archives that mean harm, and who is held out."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from recipes.lipreading.common.corpora import read_corpus
from recipes.lipreading.common.corpora.films import word_window
from recipes.lipreading.common.corpora.packed import packed_frames
from recipes.lipreading.common.corpora.splits import shared_sentences, split_clips
from recipes.lipreading.common.crops import Sources, crop_clip
from recipes.lipreading.common.manifest import Clip, normalise_text
from recipes.lipreading.common.options import SplitSection
from speechkd.errors import DataError
from speechkd.features.mouth.films import FilmOptions

ZIP = "mouth_50x100_jpeg.zip"


def sheet(height: int = 750, mode: str = "L") -> bytes:
    """Frame i is grey 3 * i, in reading order."""
    levels = np.repeat(np.repeat(3 * np.arange(75, dtype=np.uint8).reshape(15, 5), 50, 0), 100, 1)[:height]
    file = io.BytesIO()
    Image.fromarray(levels).convert(mode).save(file, "JPEG", quality=95)
    return file.getvalue()


def packed(folder: Path, members: dict[str, bytes], ids: tuple[str, ...] = ("a", "b")) -> Path:
    rows = [{"id": id_, "text": "BIN sil blue", "align": [[0, 9, "sil"], [9, 20, "bin"]], "frames": 74} for id_ in ids]
    (folder / "transcripts.jsonl.gz").write_bytes(gzip.compress("\n".join(map(json.dumps, rows)).encode()))
    with zipfile.ZipFile(folder / ZIP, "w", zipfile.ZIP_DEFLATED) as pack:
        for name, data in members.items():
            pack.writestr(name, data)
    return folder


def test_texts_are_letters_and_single_spaces() -> None:
    assert normalise_text("  SIL Bin\tBLUE, at sp  F! ") == "bin blue at f"


def test_packed_grid(tmp_path: Path) -> None:
    corpus = read_corpus("grid_packed", packed(tmp_path, {"a.jpg": sheet(), "c.jpg": sheet()}), {"speaker": "s3"})
    (clip,) = corpus.clips
    assert (clip.id, clip.speaker, clip.text, clip.words) == ("a", "s3", "bin blue", ((9.0, 20.0, "bin"),))
    assert [line.split(":")[0] for line in corpus.problems] == ["c", "b"]
    frames = crop_clip("a", clip, Sources("grid_packed", tmp_path, FilmOptions((50, 100)), 0)).arrays["frames"]
    assert frames.shape == (74, 50, 100)
    assert np.abs(frames.mean((1, 2)) - 3 * np.arange(74)).max() < 2


@pytest.mark.parametrize("name", ["../a.jpg", "/a.jpg", "x/a.jpg", "a.txt"])
def test_a_name_that_leads_elsewhere(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match="refused"):
        read_corpus("grid_packed", packed(tmp_path, {"a.jpg": sheet(), name: b"x"}), {})


def test_a_bomb(tmp_path: Path) -> None:
    packed(tmp_path, {"a.jpg": bytes(2**21)})
    with pytest.raises(DataError, match="unpacks to too much"):
        read_corpus("grid_packed", tmp_path, {})
    with pytest.raises(DataError, match="unpacks to too much"):
        packed_frames(tmp_path / ZIP, "a.jpg")


@pytest.mark.parametrize("data", [sheet(700), sheet(mode="RGB"), b"no picture", sheet()[:2000]])
def test_a_broken_member_is_its_own_error(tmp_path: Path, data: bytes) -> None:
    corpus = read_corpus("grid_packed", packed(tmp_path, {"a.jpg": data, "b.jpg": sheet()}), {})
    sources = Sources("grid_packed", tmp_path, FilmOptions((50, 100)), 0)
    with pytest.raises(DataError):
        crop_clip("a", corpus.clips[0], sources)
    assert crop_clip("b", corpus.clips[1], sources).arrays["frames"].shape == (74, 50, 100)


def test_grid_as_published(tmp_path: Path) -> None:
    (tmp_path / "s2" / "video").mkdir(parents=True)
    (tmp_path / "s2" / "align").mkdir()
    for name in ("one", "two", "bad"):
        (tmp_path / "s2" / "video" / f"{name}.mpg").touch()
    (tmp_path / "s2" / "align" / "one.align").write_text("0 23750 sil\n23750 29500 bin\n29500 34000 blue\n")
    (tmp_path / "s2" / "align" / "bad.align").write_text("0 zero bin\n")
    corpus = read_corpus("grid", tmp_path, {})
    assert corpus.clips == (
        Clip("s2_one", "s2", "bin blue", "s2/video/one.mpg", ((23.75, 29.5, "bin"), (29.5, 34.0, "blue"))),
    )
    assert [line.split(":")[0] for line in corpus.problems] == ["s2_bad", "s2_two"]


def test_lrw(tmp_path: Path) -> None:
    for part in ("train", "val", "test"):
        (tmp_path / "ABOUT" / part).mkdir(parents=True)
        (tmp_path / "ABOUT" / part / "ABOUT_00001.mp4").touch()
        (tmp_path / "ABOUT" / part / "ABOUT_00001.txt").write_text("Disk: 1\nDuration: 0.40 seconds\n")
    (tmp_path / "ABOUT" / "val" / "ABOUT_00002.mp4").touch()
    corpus = read_corpus("lrw", tmp_path, {})
    assert {clip.part for clip in corpus.clips} == {"train", "valid", "test"} and len(corpus.problems) == 1
    assert corpus.clips[0].words == ((9.5, 19.5, "about"),)


@pytest.mark.parametrize(("boundary", "expected"), [("exact", (25.0, 38.0)), ("centred40", (11.0, 51.0))])
def test_windows_of_lrw1000(tmp_path: Path, boundary: str, expected: tuple[float, float]) -> None:
    (tmp_path / "images" / "abc").mkdir(parents=True)
    for number in range(1, 46):
        Image.new("L", (16, 16), number).save(tmp_path / "images" / "abc" / f"{number}.jpg")
    (tmp_path / "info").mkdir()
    for part in ("trn", "val", "tst"):
        (tmp_path / "info" / f"{part}_1000.txt").write_text("abc,字,zi dian,1.00,1.50\n../x,字,zi,1,2\nshort\n")
    corpus = read_corpus("lrw1000", tmp_path, {"boundary": boundary})
    assert len(corpus.clips) == 3 and len(corpus.problems) == 6
    assert corpus.clips[0].words == ((*expected, "zi dian"),)
    frames = crop_clip("x", corpus.clips[0], Sources("lrw1000", tmp_path, FilmOptions((16, 16)), 0)).arrays["frames"]
    assert np.abs(frames.mean((1, 2)) - np.arange(expected[0] + 1, min(expected[1], 45) + 1)).max() <= 1


def test_a_window_ends_after_it_starts() -> None:
    with pytest.raises(ValueError):
        word_window(2.0, 1.0, "exact")


def test_films_with_a_table(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").touch()
    (tmp_path / "metadata.csv").write_text("a|Hello, World|ann\n../b|no|x\na|twice\n")
    corpus = read_corpus("video_text", tmp_path, {})
    assert corpus.clips == (Clip("a", "ann", "hello world", "a.mp4"),) and len(corpus.problems) == 2


def test_another_layout_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="missing"):
        read_corpus("lrw", tmp_path, {})


def spoken(n_speakers: int = 4, each: int = 30) -> list[Clip]:
    """Everybody says the same sentences."""
    return [Clip(f"s{s}_{i:02d}", f"s{s}", f"say {i}", "") for s in range(1, n_speakers + 1) for i in range(each)]


def test_overlapped_takes_as_many_of_each_speaker() -> None:
    parts = split_clips(spoken(), SplitSection(by="overlapped", per_speaker=7, valid=5))
    assert {part: len(ids) for part, ids in parts.items()} == {"train": 87, "valid": 5, "test": 28}
    assert all(sum(id_.startswith(f"s{s}_") for id_ in parts["test"]) == 7 for s in range(1, 5))
    assert parts == split_clips(spoken()[::-1], SplitSection(by="overlapped", per_speaker=7, valid=5))


def test_unseen_holds_whole_speakers_out() -> None:
    parts = split_clips(spoken(), SplitSection(by="unseen", valid=5))
    assert {id_[:2] for id_ in parts["test"]} == {"s1", "s2"} and len(parts["test"]) == 60
    assert {id_[:2] for id_ in parts["train"] + parts["valid"]} == {"s3", "s4"}
    assert shared_sentences(spoken(), parts) >= 60


def test_random_keeps_a_sentence_on_one_side() -> None:
    parts = split_clips(spoken(), SplitSection(valid=8, test=12))
    assert (len(parts["valid"]), len(parts["test"]), len(parts["train"])) == (8, 12, 100)
    assert shared_sentences(spoken(), parts) == 0


def test_a_corpus_without_parts_has_no_official_split() -> None:
    with pytest.raises(DataError, match="Cannot split official"):
        split_clips(spoken(), SplitSection(by="official"))
