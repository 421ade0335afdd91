"""Given alignments: each fault found alone, sound ones (also real ones of MFA) without a word."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from recipes.tts.common.corpora import read_corpus
from recipes.tts.common.corpora.alignments import check_alignments
from speechkd.align.textgrid import write_textgrid
from speechkd.align.types import Alignment, Interval
from speechkd.cli.data import app
from speechkd.data.corpus import Corpus
from speechkd.data.validate import validate_corpus
from speechkd.errors import DataError
from tests.recipes.tts.published import record, write

GRID = Alignment(
    words=(Interval(0.1, 0.5, "oak"), Interval(0.5, 0.9, "tree")),
    phones=(
        Interval(0.0, 0.1, ""), Interval(0.1, 0.3, "OW1"), Interval(0.3, 0.5, "K"), Interval(0.5, 0.7, "T"),
        Interval(0.7, 0.9, "R"), Interval(0.9, 1.0, ""),
    ),
    duration_s=1.0,
)  # fmt: skip


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    for name in ("a", "b"):
        record(tmp_path / "corpus" / "wavs" / f"{name}.wav", 22_050)
        (tmp_path / "grids").mkdir(exist_ok=True)
        write_textgrid(tmp_path / "grids" / f"{name}.TextGrid", GRID)
    write(tmp_path / "corpus" / "metadata.csv", "a|Oak tree.\nb|The oak trees.\n")
    return read_corpus("ljspeech", tmp_path / "corpus")


def replaced(old: str, new: str, count: int = -1) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new, count), encoding="utf-8")

    return change


def third_tier(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    tier = text[text.index("    item [2]") :].replace("item [2]", "item [3]").replace('"phones"', '"letters"')
    path.write_text(text.replace("size = 2", "size = 3", 1) + tier, encoding="utf-8")


def without_last_phone(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").replace("intervals: size = 6", "intervals: size = 5").splitlines()
    path.write_text("\n".join(lines[:-4]) + "\n", encoding="utf-8")


FAULTS: dict[str, tuple[Callable[[Path], object], str, str]] = {
    "missing": (lambda path: path.unlink(), "error", "missing_textgrid"),
    "empty": (lambda path: path.write_bytes(b""), "error", "bad_textgrid"),
    "no_grid": (lambda path: path.write_bytes(b"RIFF\0\xff" * 99), "error", "bad_textgrid"),
    "cut": (lambda path: path.write_bytes(path.read_bytes()[:700]), "error", "bad_textgrid"),
    "extra_tier": (third_tier, "error", "extra_tier"),
    "no_phones": (replaced('"phones"', '"segments"'), "error", "missing_tier"),
    "overlap": (replaced("xmin = 0.3", "xmin = 0.2"), "error", "bad_textgrid"),
    "no_length": (replaced("xmax = 0.3", "xmax = 0.1"), "error", "bad_textgrid"),
    "backwards": (replaced("xmax = 0.3", "xmax = 0.05"), "error", "bad_textgrid"),
    "gap": (replaced("xmin = 0.3", "xmin = 0.31"), "error", "alignment_gap"),
    "sum_is_short": (without_last_phone, "error", "alignment_gap"),
    "sum_is_long": (replaced("xmax = 1.0\n            t", "xmax = 1.0116\n            t"), "error", "alignment_gap"),
    "longer_than_the_sound": (replaced("xmax = 1.0\n", "xmax = 1.0116\n"), "error", "alignment_length"),
    "shorter_than_the_sound": (replaced("= 1.0\n", "= 0.95\n"), "error", "alignment_length"),
    "of_another_utterance": (
        lambda path: replaced('"oak"', '"elm"')(path) or replaced('"tree"', '"and"')(path), "error", "alignment_words"
    ),
    "without_words": (lambda path: write_textgrid(path, Alignment((), GRID.phones, 1.0)), "error", "alignment_words"),
    "unknown_word": (replaced('"OW1"', '"spn"'), "warning", "unknown_word"),
    "folder": (lambda path: path.unlink() or path.mkdir(), "error", "bad_textgrid"),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_is_found_alone(corpus: Corpus, tmp_path: Path, name: str) -> None:
    change, severity, kind = FAULTS[name]
    facts = validate_corpus(corpus).facts
    assert check_alignments(tmp_path / "grids", corpus, facts) == []
    change(tmp_path / "grids" / "b.TextGrid")
    (problem,) = check_alignments(tmp_path / "grids", corpus, facts)
    assert (problem.severity, problem.kind, problem.id) == (severity, kind, "b") and problem.todo
    assert problem.where.startswith("b.TextGrid") and str(tmp_path) not in problem.what


def test_rounding_is_no_fault(corpus: Corpus, tmp_path: Path) -> None:
    facts = validate_corpus(corpus).facts
    replaced("xmax = 1.0\n", "xmax = 1.004\n")(tmp_path / "grids" / "a.TextGrid")
    replaced("xmin = 0.3\n", "xmin = 0.301\n")(tmp_path / "grids" / "b.TextGrid")
    assert check_alignments(tmp_path / "grids", corpus, facts) == []


def test_folders_of_speakers_and_strangers(corpus: Corpus, tmp_path: Path) -> None:
    grids = tmp_path / "grids"
    (grids / "ann").mkdir()
    (grids / "a.TextGrid").rename(grids / "ann" / "a.TextGrid")
    write_textgrid(grids / "stranger.TextGrid", GRID)
    (problem,) = check_alignments(grids, corpus)
    assert (problem.severity, problem.kind, problem.id) == ("warning", "extra_textgrid", "stranger")
    with pytest.raises(DataError, match="No folder of alignments"):
        check_alignments(tmp_path / "none", corpus)


def test_validate_takes_them_in(corpus: Corpus, tmp_path: Path) -> None:
    arguments = ["validate", str(corpus.folder), "--alignment", str(tmp_path / "grids")]
    assert CliRunner().invoke(app, arguments).exit_code == 0
    (tmp_path / "grids" / "a.TextGrid").unlink()
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 3 and "missing_textgrid: 1 error. Align this utterance." in result.output


def test_real_alignments(shared_data: Callable[[str], Path]) -> None:
    """MFA's alignments of 300 recordings: nothing but the words that its dictionary lacks."""
    folder = shared_data("data/speech/ljspeech300")
    corpus = read_corpus("ljspeech", folder)
    found = check_alignments(folder / "TextGrid", corpus, validate_corpus(corpus, jobs=2).facts)
    assert {problem.kind for problem in found} == {"unknown_word"}
    spn = {path.stem for path in (folder / "TextGrid").iterdir() if '"spn"' in path.read_text(encoding="utf-8")}
    assert {problem.id for problem in found} == spn
