"""`speechkd lipread`, as a user calls it: films of a drawn mouth, broken films, and a film of GRID."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from speechkd.cli.main import main
from speechkd.data.talker import talker_film
from speechkd.models.lipreading.load import load_reader, save_model
from speechkd.models.lipreading.symbols import EOS
from tests.features.mouth.films import cv2, write_film
from tests.models.lipreading.test_reader import reader

N_FRAMES = 40


class SomeFaces:
    """Finds the talker's head, but not in frames that are black."""

    def faces(self, frame: np.ndarray) -> np.ndarray:
        return np.array([[4.0, 4.0, 88.0, 88.0]])[: int(frame.mean() > 40)]


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a reader that writes five letters or spaces of any film, and a film."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("speechkd.models.lipreading.films.HaarFaces", SomeFaces)
    Path("model").mkdir()
    wordy = reader("a b", seed=9, max_characters=5)
    with torch.no_grad():
        wordy.decoder.out.bias[EOS] = -20.0
        wordy.decoder.out.weight *= 4.0
        wordy.decoder.embedding.weight *= 4.0
    save_model(Path("model"), wordy)
    film(tmp_path / "talk.avi")
    return tmp_path


def talking() -> np.ndarray:
    """The drawn talker, four times as large: (40, 96, 96)."""
    frames = talker_film("clip", "bin blue at f two now", "t0")[:N_FRAMES]
    return np.kron(frames, np.ones((1, 4, 4), np.uint8)).astype(np.uint8)


def film(path: Path, dark: slice = slice(0), fps: float = 25.0, n_frames: int = N_FRAMES) -> Path:
    frames = talking()[:n_frames]
    frames[dark] = 0
    return write_film(path, frames, fps=fps)


def rows(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


def test_the_text_and_how_sure_each_word_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lipread", "talk.avi", "--model", "model"]) == 0
    text, words = capsys.readouterr().out.splitlines()
    assert words.count(", ") >= 1
    assert main(["lipread", "talk.avi", "--model", "model", "--json"]) == 0
    (row,) = rows(capsys.readouterr().out)
    assert text == f"talk.avi: {row['text']}"
    assert words == "  " + ", ".join(f"{each['word']} {each['confidence']:.2f}" for each in row["words"])
    assert (row["n_frames"], row["lost_frames"], row["missing_frames"]) == (N_FRAMES, [], 0)
    assert [each["word"] for each in row["words"]] == str(row["text"]).split()


def test_a_film_in_which_no_word_is_read(capsys: pytest.CaptureFixture[str]) -> None:
    save_model(Path("model"), reader(" ", seed=3))
    assert main(["lipread", "talk.avi", "--model", "model"]) == 0
    assert capsys.readouterr().out == "talk.avi: \n  no word was read\n"


def test_a_beam_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    from speechkd.features.mouth.films import FilmOptions, film_mouth

    crops = film_mouth(Path("talk.avi"), FilmOptions((12, 16)), SomeFaces()).crops
    for width in (1, 7):
        assert main(["lipread", "talk.avi", "--model", "model", "--beam", str(width), "--json"]) == 0
        (row,) = rows(capsys.readouterr().out)
        assert row["text"] == load_reader(Path("model"), width).read(crops).text


def test_lost_frames_are_listed_in_a_line(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    film(workplace / "lost.avi", dark=slice(9, 18))
    assert main(["lipread", "lost.avi", "--model", "model"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "  no face in frames 9-17 (9 of 40)"
    assert main(["lipread", "lost.avi", "--model", "model", "--json"]) == 0
    assert rows(capsys.readouterr().out)[0]["lost_frames"] == [[9, 18]]


@pytest.mark.parametrize("name", ["copy.mp4", "copy.avi"])
def test_subtitles_are_burnt_into_a_copy(workplace: Path, name: str) -> None:
    assert main(["lipread", "talk.avi", "--model", "model", "--subtitles", name]) == 0
    capture, n_frames = cv2.VideoCapture(name), 0
    while capture.read()[0]:
        n_frames += 1
    assert n_frames == N_FRAMES


def no_frames(path: Path) -> Path:
    return film(path.with_suffix(".avi"), n_frames=0)


def wrong_rate(path: Path) -> Path:
    return film(path.with_suffix(".avi"), fps=30)


def no_face(path: Path) -> Path:
    return film(path.with_suffix(".avi"), dark=slice(None))


def mostly_no_face(path: Path) -> Path:
    return film(path.with_suffix(".avi"), dark=slice(1, None))


def sound_alone(path: Path) -> Path:
    soundfile.write(path.with_suffix(".wav"), np.zeros(16000), 16000)
    return path.with_suffix(".wav").rename(path.with_suffix(".mp4"))


def truncated(path: Path) -> Path:
    whole = film(path.with_suffix(".avi"))
    whole.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    return whole


BROKEN = {
    no_frames: "bad.avi: video has no frames",
    wrong_rate: "bad.avi: wrong frame rate: it has 30.00 frames per second, not 25",
    no_face: "bad.avi: no face found: there is none in the 5 of 40 frames looked at",
    mostly_no_face: "bad.avi: the face is mostly lost: no face in frames 9-39 (31 of 40)",
    sound_alone: "bad.mp4: there is no picture: the file holds sound alone",
    truncated: "bad.avi: video is broken: the file promises 40 frames",
    lambda path: path: "bad: video file is missing",
}


@pytest.mark.parametrize(("make", "words"), BROKEN.items(), ids=lambda value: getattr(value, "__name__", None))
def test_a_broken_film_is_one_line_and_exit_code_3(
    make: Callable[[Path], Path], words: str, capfd: pytest.CaptureFixture[str]
) -> None:
    path = make(Path("bad"))
    assert main(["lipread", str(path), "--model", "model"]) == 3
    out, err = capfd.readouterr()
    assert out == "" and err.count("\n") == 1
    assert err.startswith(f"error: {words}")


def test_one_broken_film_does_not_stop_the_others(capsys: pytest.CaptureFixture[str]) -> None:
    bad = wrong_rate(Path("bad"))
    assert main(["lipread", str(bad), "talk.avi", "--model", "model"]) == 3
    out, err = capsys.readouterr()
    assert out.startswith("talk.avi: ") and err.startswith("error: bad.avi: wrong frame rate") and err.count("\n") == 1


def test_broken_films_can_be_taken_if_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lipread", str(wrong_rate(Path("a"))), "--model", "model", "--resample", "--json"]) == 0
    assert rows(capsys.readouterr().out)[0]["n_frames"] == round(N_FRAMES * 25 / 30)
    assert main(["lipread", str(truncated(Path("b"))), "--model", "model", "--keep-broken", "--json"]) == 0
    (row,) = rows(capsys.readouterr().out)
    assert row["n_frames"] + row["missing_frames"] == N_FRAMES and row["missing_frames"] > 5


def test_the_window_is_one_or_follows(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    seen = []
    monkeypatch.setattr(
        "speechkd.models.lipreading.films.film_mouth", lambda path, how, detector: seen.append(how.fixed) or 1 / 0
    )
    for window in ("fixed", "moving"):
        main(["lipread", "talk.avi", "--model", "model", "--window", window])
    assert seen == [True, False]


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (["talk.avi"], 2, "--model"),
        (["--model", "model"], 2, "VIDEO"),
        (["talk.avi", "--model", "nowhere"], 5, "nowhere: the lip reader cannot be read"),
        (["talk.avi", "--model", "model", "--beam", "0"], 2, "beam"),
        (["talk.avi", "--model", "model", "--window", "wide"], 2, "there is no window 'wide'"),
        (["talk.avi", "--model", "model", "--subtitles", "a.mkv"], 2, "Use a name in .mp4 or .avi"),
        (["talk.avi", "--model", "model", "--subtitles", "talk.avi"], 2, "the copy would replace the film"),
        (["talk.avi", "b.avi", "--model", "model", "--subtitles", "a.mp4"], 2, "--subtitles writes one film"),
    ],
)
def test_a_wrong_request_is_told_before_torch_is_loaded(options: list[str], code: int, words: str) -> None:
    before = Path("talk.avi").read_bytes()
    done = in_a_process("lipread", *options)
    assert done.returncode == code and words in done.stderr, done.stderr
    assert done.stdout == "False\n"
    assert Path("talk.avi").read_bytes() == before


def test_help_does_not_load_torch() -> None:
    done = in_a_process("lipread", "--help")
    assert done.returncode == 0 and "--subtitles" in done.stdout and done.stdout.endswith("False\n")


def in_a_process(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The program in a process of its own; its last line tells whether torch was imported."""
    program = (
        "import sys; from speechkd.cli.main import main; code = main(sys.argv[1:]);"
        "print('torch' in sys.modules); sys.exit(code)"
    )
    return subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False)


def test_a_film_of_grid(
    shared_data: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The real cascade and decoder on MPEG-1: all 75 frames, and the face in every one looked at."""
    from speechkd.features.mouth.tracking import HaarFaces

    path = shared_data("data/lipreading/grid_s1/raw") / "bbaf2n.mpg"
    monkeypatch.setattr("speechkd.models.lipreading.films.HaarFaces", HaarFaces)
    assert main(["lipread", str(path), "--model", "model", "--json", "--subtitles", "grid.mp4"]) == 0
    (row,) = rows(capsys.readouterr().out)
    assert (row["n_frames"], row["lost_frames"], row["missing_frames"]) == (75, [], 0)
    assert Path("grid.mp4").stat().st_size > 10_000
