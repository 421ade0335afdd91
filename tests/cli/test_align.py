"""`speechkd align`: TextGrids and failures of a small corpus, and the comparison table."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
import typer
from typer.testing import CliRunner

from recipes.tts.common.corpora.mini import speak_mini_corpus
from speechkd.align import Alignment, AlignOptions, Interval, read_textgrid, write_textgrid
from speechkd.cli.align import align
from speechkd.errors import UsageError
from speechkd.text import Tokens

app = typer.Typer()
app.command()(align)


def write_grid(folder: Path, name: str, phones: str, shift_s: float = 0.0) -> None:
    folder.mkdir(exist_ok=True)
    labels = phones.split()
    ends = [(i + 1) / len(labels) + (shift_s if i + 1 < len(labels) else 0) for i in range(len(labels))]
    intervals = tuple(Interval(a, b, label) for a, b, label in zip([0.0, *ends], ends, labels, strict=False))
    words = (Interval(0, intervals[0].end_s, "a"), Interval(intervals[0].end_s, intervals[-1].end_s, "bee"))
    write_textgrid(folder / f"{name}.TextGrid", Alignment(words, intervals, 1.0))


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    folder = tmp_path / "corpus"
    (folder / "wavs").mkdir(parents=True)
    noise = np.random.default_rng(0).normal(0, 0.1, 22050)
    for name in ("u1", "u2"):
        soundfile.write(folder / "wavs" / f"{name}.wav", noise, 22050)
    (folder / "metadata.csv").write_text("u1|a bee\nu2|a bee\nu3|a bee\n", encoding="utf-8")
    return folder


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_given_textgrids_are_checked_and_rewritten(corpus: Path, tmp_path: Path, jobs: str) -> None:
    write_grid(tmp_path / "mine", "u1", "AH B IY")
    out = tmp_path / "out"
    out.mkdir()
    write_grid(out, "u2", "AH B IY")  # of an earlier run
    arguments = [str(corpus), str(out), "--backend", "given", "--given", str(tmp_path / "mine"), "--jobs", jobs]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 3, result.output
    assert "1 of 3 aligned" in result.output and "2 failed" in result.output
    assert [phone.label for phone in read_textgrid(out / "u1.TextGrid").phones] == ["AH0", "B", "IY1"]
    failures = lines(out / "failures.jsonl")
    assert sorted(failure["id"] for failure in failures) == ["u2", "u3"] and all(f["reason"] for f in failures)
    assert sorted(path.name for path in out.glob("*.TextGrid")) == ["u1.TextGrid"]
    assert lines(out / "notes.jsonl") == []


def lines(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.fixture
def spoken_corpus(tmp_path: Path) -> Path:
    pytest.importorskip("espeakng_loader")
    pytest.importorskip("pocketsphinx")
    speak_mini_corpus(tmp_path / "spoken", 3)
    return tmp_path / "spoken"


def test_pocketsphinx_speaks_of_what_it_did(spoken_corpus: Path, tmp_path: Path) -> None:
    """Aligned, failed with a reason, and compared with the exact times in one go."""
    rows = (spoken_corpus / "metadata.csv").read_text(encoding="utf-8").splitlines()
    rows[2] = "MINI-003|Something else altogether.|Something else altogether."
    (spoken_corpus / "metadata.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    out = tmp_path / "out"
    result = CliRunner().invoke(app, [str(spoken_corpus), str(out)])
    assert result.exit_code == 3, result.output
    assert "2 of 3 aligned" in result.output
    assert [failure["id"] for failure in lines(out / "failures.jsonl")] == ["MINI-003"]
    assert "text" in lines(out / "failures.jsonl")[0]["reason"]
    picture = tmp_path / "worst.png"
    arguments = [str(spoken_corpus / "TextGrid"), str(out), "--compare", "--picture", str(picture)]
    arguments += ["--worst", "1", "--audio", str(spoken_corpus / "wavs")]
    compared = CliRunner().invoke(app, arguments, env={"COLUMNS": "200"})
    assert compared.exit_code == 0, compared.output
    assert picture.stat().st_size > 10_000
    for name in ("word starts", "phones", "before: vowel", "after: silence", "pause ends", "worst: MINI-00"):
        assert name in compared.output
    assert "2 utterances; 0 words" in compared.output and "1 TextGrids in one folder only" in compared.output


def test_notes_are_written(corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Noting:
        def align(self, samples: object, sample_rate: int, tokens: Tokens, *, utterance_id: str = "") -> Alignment:
            phones = tuple(Interval(i / 3, (i + 1) / 3, label) for i, label in enumerate(("AH0", "B", "IY1")))
            words = (Interval(0, 1 / 3, "a"), Interval(1 / 3, 1, "bee"))
            return Alignment(words, phones, 1.0, "with some effort" if utterance_id == "u2" else "")

    monkeypatch.setattr("speechkd.align.corpus.make_aligner", lambda options: Noting())
    result = CliRunner().invoke(app, [str(corpus), str(tmp_path / "out")])
    assert "1 with a note" in result.output
    assert lines(tmp_path / "out" / "notes.jsonl") == [{"id": "u2", "note": "with some effort"}]


def test_compare(tmp_path: Path) -> None:
    write_grid(tmp_path / "a", "u1", "AH B IY")
    write_grid(tmp_path / "b", "u1", "AH B IY", shift_s=0.03)
    result = CliRunner().invoke(app, [str(tmp_path / "a"), str(tmp_path / "b"), "--compare"], env={"COLUMNS": "200"})
    assert result.exit_code == 0
    assert "+15.0" in result.output and "100.0%" in result.output  # one of the two words starts 30 ms late


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--backend", "given"], "--given FOLDER"),
        (["--backend", "attention"], "--attention FOLDER"),
        (["--backend", "magic"], "pocketsphinx, mfa, attention, mas, given"),
        (["--backend", "pocketsphinx", "--given", "x"], "--given does not belong to backend pocketsphinx"),
        (["--backend", "mas", "--mfa-model", "x"], "--mfa-model does not belong to backend mas"),
        (["--backend", "mfa", "--model", "x"], "--model does not belong to backend mfa"),
        (["--audio", "x"], "--compare"),
        (["--language", "de"], "hears English only"),
        (["--corpus", "ljspech"], "Did you mean ljspeech"),
        (["--compare", "--audio", "x"], "--picture"),
        (["--compare", "--lexicon", "x"], "--lexicon does not belong to --compare"),
        (["--backend", "mfa", "--mfa-model", "english_mfa"], "IPA phones"),
        (["--backend", "mfa", "--mfa-model", ""], "cannot be used like this"),
        (["--backend", "mfa", "--language", "de"], "hears English only"),
    ],
)
def test_usage(corpus: Path, tmp_path: Path, arguments: list[str], said: str) -> None:
    result = CliRunner().invoke(app, [str(corpus), str(tmp_path / "out"), *arguments])
    assert isinstance(result.exception, UsageError) and said in str(result.exception)


@pytest.mark.parametrize(
    ("arguments", "backend", "fields"),
    [
        ([], "pocketsphinx", {"refine": True}),
        (["--backend", "mfa", "--mfa-model", "english_us_arpa"], "mfa", {"acoustic_model": "english_us_arpa"}),
        (["--backend", "mas", "--model", "trained"], "mas", {"model": Path("trained").absolute()}),
        (["--backend", "attention", "--attention", "stored"], "attention", {"folder": Path("stored").absolute()}),
    ],
)
def test_options_reach_their_backend(
    corpus: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    backend: str,
    fields: dict[str, object],
) -> None:
    seen: list[AlignOptions] = []

    def spy(options: AlignOptions, *others: object) -> AlignOptions:
        seen.append(options)
        raise UsageError("enough")

    monkeypatch.setattr("recipes.tts.common.aligners.prepared", spy)
    CliRunner().invoke(app, [str(corpus), str(tmp_path / "out"), *arguments])
    assert [each.backend for each in seen] == [backend]
    assert {name: getattr(seen[0], name) for name in fields} == fields


def test_a_picture_of_what_was_aligned(corpus: Path, tmp_path: Path) -> None:
    """The pauses are counted, the strangest utterance is named, and the picture is one."""
    for name in ("u1", "u2"):
        write_grid(tmp_path / "mine", name, "AH B IY")
    arguments = [str(corpus), str(tmp_path / "out"), "--backend", "given", "--given", str(tmp_path / "mine")]
    result = CliRunner().invoke(app, [*arguments, "--picture", str(tmp_path / "p.png"), "--worst", "1"])
    assert "2 utterances, 3.0 phones per second of speech" in result.output
    assert result.output.count("strange: ") == 1
    assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("below", [False, True])
def test_given_alignments_are_never_written_over(corpus: Path, tmp_path: Path, below: bool) -> None:
    """OUT in the place of the user's own TextGrids is refused, and nothing of theirs is touched."""
    mine = tmp_path / "mine"
    given = mine / "speaker" if below else mine
    mine.mkdir()
    write_grid(given, "u1", "AH B IY")
    (given / "u2.TextGrid").write_text("half", encoding="utf-8")
    before = {path.name: path.read_bytes() for path in given.iterdir()}
    result = CliRunner().invoke(app, [str(corpus), str(mine), "--backend", "given", "--given", str(given)])
    assert isinstance(result.exception, UsageError) and "written over" in str(result.exception)
    assert {path.name: path.read_bytes() for path in given.iterdir()} == before


def test_failures_are_told_when_there_is_nothing_to_draw(corpus: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    arguments = [str(corpus), str(tmp_path / "out"), "--backend", "given", "--given", str(tmp_path / "mine")]
    result = CliRunner().invoke(app, [*arguments, "--picture", str(tmp_path / "p.png")])
    assert result.exit_code == 3 and "3 failed: see" in result.output
    assert not (tmp_path / "p.png").exists()
