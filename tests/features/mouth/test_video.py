"""Films of several codecs read back, and every broken film told in one line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from speechkd.errors import DataError, ResourceError
from speechkd.features.mouth.video import nearest_frames, read_video
from tests.features.mouth.films import cv2, grey_steps, write_film


@pytest.mark.parametrize(
    ("name", "codec"), [("a.avi", "MJPG"), ("a.mkv", "MJPG"), ("a.mp4", "mp4v"), ("a.avi", "XVID"), ("a.avi", "FFV1")]
)
def test_frames_come_back_in_order(tmp_path: Path, name: str, codec: str) -> None:
    frames = grey_steps(20)
    video = read_video(write_film(tmp_path / name, frames, codec=codec))
    assert video.frames.shape == (20, 48, 64) and video.frames.dtype == np.uint8
    assert (video.fps, video.duration_s, video.missing_frames) == (25.0, 0.8, 0)
    # Codecs lose a few levels; neighbouring frames differ by six.
    np.testing.assert_allclose(video.frames.mean(axis=(1, 2)), frames.mean(axis=(1, 2)), atol=3.1)


def test_a_constant_film_stays_constant(tmp_path: Path) -> None:
    video = read_video(write_film(tmp_path / "a.avi", np.full((5, 32, 48), 120, np.uint8)))
    assert np.abs(video.frames.astype(int) - 120).max() <= 1


def text_named_mp4(folder: Path) -> Path:
    (folder / "a.mp4").write_text("These are words.\n" * 100)
    return folder / "a.mp4"


def playlist(folder: Path) -> Path:
    whole = write_film(folder / "whole.avi", grey_steps(10))
    (folder / "a.mp4").write_text(f"ffconcat version 1.0\nfile {whole.name}\n")
    return folder / "a.mp4"


def empty(folder: Path) -> Path:
    (folder / "a.avi").touch()
    return folder / "a.avi"


def recording(folder: Path) -> Path:
    soundfile.write(folder / "a.wav", np.zeros(16000), 16000)
    return folder / "a.wav"


def recording_named_mp4(folder: Path) -> Path:
    return recording(folder).rename(folder / "a.mp4")


def mp4_of_sound(folder: Path) -> Path:
    """A file type box and a movie whose only handler is that of sound."""
    handler = b"\0" * 8 + b"soun" + b"\0" * 13
    box = (8 + len(handler)).to_bytes(4, "big") + b"hdlr" + handler
    movie = (8 + len(box)).to_bytes(4, "big") + b"moov" + box
    (folder / "a.m4a").write_bytes((16).to_bytes(4, "big") + b"ftypM4A \0\0\0\0" + movie)
    return folder / "a.m4a"


def without_frames(folder: Path) -> Path:
    return write_film(folder / "a.avi", grey_steps(0))


def faster(folder: Path) -> Path:
    return write_film(folder / "a.avi", grey_steps(10), fps=30)


def truncated(folder: Path, name: str = "a.avi", codec: str = "MJPG") -> Path:
    noise = np.random.default_rng(0).integers(0, 255, (40, 48, 64)).astype(np.uint8)
    path = write_film(folder / name, noise, codec=codec)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


def truncated_mp4(folder: Path) -> Path:
    """MP4's table of contents comes last: without it nothing can be decoded."""
    return truncated(folder, "a.mp4", "mp4v")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda folder: folder / "a.mp4", "video file is missing. Restore"),
        (lambda folder: folder, "video file is missing"),
        (empty, "empty (0 bytes)"),
        (text_named_mp4, "not a video: its first bytes are none of AVI, MP4 or MOV, "),
        (playlist, "not a video"),
        (recording, "no picture: the file holds sound alone"),
        (recording_named_mp4, "no picture: the file holds sound alone"),
        (mp4_of_sound, "no picture: the file holds sound alone"),
        (without_frames, "video has no frames: none can be decoded"),
        (faster, "wrong frame rate: it has 30.00 frames per second, not 25. Convert it to 25 frames per second, or"),
        (truncated, "video is broken: the file promises 40 frames, 1"),
        (truncated_mp4, "video cannot be decoded: its header is damaged or incomplete"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_broken_film_gets_one_line(
    make: object, words: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = make(tmp_path)  # type: ignore[operator]
    with pytest.raises(DataError) as caught:
        read_video(path)
    text = str(caught.value)
    assert text.startswith(f"{path}: ") and words in text and "\n" not in text
    assert caught.value.todo
    # FFmpeg and OpenCV say nothing of their own.
    assert capfd.readouterr() == ("", "")


def test_nothing_is_printed_from_the_first_film_on(tmp_path: Path) -> None:
    """OpenCV asks for FFmpeg's level of noise once, at its first film."""
    path = truncated(tmp_path)
    program = (
        "import sys, pathlib\n"
        "from speechkd.features.mouth.video import read_video\n"
        "print(read_video(pathlib.Path(sys.argv[1]), keep_broken=True).missing_frames)"
    )
    done = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True)
    assert done.stderr == "" and int(done.stdout) > 10


def test_what_is_left_of_a_broken_film_can_be_kept(tmp_path: Path) -> None:
    whole = write_film(tmp_path / "whole.avi", np.random.default_rng(0).integers(0, 255, (40, 48, 64)).astype(np.uint8))
    video = read_video(truncated(tmp_path), keep_broken=True)
    assert len(video.frames) + video.missing_frames == 40 and 10 < video.missing_frames < 30
    # The last frame may be half of one.
    assert np.array_equal(video.frames[:-1], read_video(whole).frames[: len(video.frames) - 1])


def test_a_hole_in_the_middle_is_a_break(tmp_path: Path) -> None:
    path = write_film(tmp_path / "a.avi", np.random.default_rng(0).integers(0, 255, (40, 48, 64)).astype(np.uint8))
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) * 3 // 4] = bytes(len(data) * 3 // 4 - len(data) // 2)
    path.write_bytes(data)
    with pytest.raises(DataError, match="the file promises 40 frames, [123]"):
        read_video(path)


def test_a_rate_a_little_off_is_taken_for_the_wanted_one(tmp_path: Path) -> None:
    assert read_video(write_film(tmp_path / "a.avi", grey_steps(10), fps=25.05)).fps == 25.0
    assert read_video(write_film(tmp_path / "b.avi", grey_steps(10), fps=30), fps=30).fps == 30


@pytest.mark.parametrize(("fps", "n_frames"), [(50, 10), (12.5, 40), (30, 17)])
def test_resampling_takes_the_frame_nearest_in_time(tmp_path: Path, fps: float, n_frames: int) -> None:
    path = write_film(tmp_path / "a.avi", grey_steps(20), fps=fps)
    native, video = read_video(path, fps=fps), read_video(path, resample=True)
    assert len(video.frames) == n_frames and video.fps == 25.0
    for i, frame in enumerate(video.frames):
        away_s = np.abs(np.arange(20) / fps - i / 25)
        nearest = np.flatnonzero(np.isclose(away_s, away_s.min()))
        assert any(np.array_equal(frame, native.frames[k]) for k in nearest)


def test_nearest_frames_in_closed_form() -> None:
    assert nearest_frames(6, 50, 25).tolist() == [0, 2, 4]
    assert nearest_frames(3, 25, 50).tolist() == [0, 1, 1, 2, 2, 2]
    assert nearest_frames(7, 25, 25).tolist() == list(range(7))
    assert nearest_frames(1, 1000, 25).tolist() == [0]


def test_a_film_too_large_is_refused(tmp_path: Path) -> None:
    path = write_film(tmp_path / "a.avi", grey_steps(10))
    size = 10 * 48 * 64
    assert len(read_video(path, most_bytes=size).frames) == 10
    with pytest.raises(DataError, match="its frames have 30,720 pixels together, more than 30,719"):
        read_video(path, most_bytes=size - 1)
    with pytest.raises(DataError, match="too large"):
        read_video(write_film(tmp_path / "slow.avi", grey_steps(10), fps=5), resample=True, most_bytes=size)


def test_a_film_that_hides_its_length_is_refused_while_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Silent:
        def __init__(self, *arguments: object) -> None:
            self.inner = real(*arguments)

        def get(self, name: int) -> float:
            return 0.0 if name == cv2.CAP_PROP_FRAME_COUNT else self.inner.get(name)

        def __getattr__(self, name: str) -> object:
            return getattr(self.inner, name)

    real = cv2.VideoCapture
    monkeypatch.setattr(cv2, "VideoCapture", Silent)
    path = write_film(tmp_path / "a.avi", grey_steps(10))
    assert len(read_video(path).frames) == 10
    with pytest.raises(DataError, match="18,432 pixels together"):
        read_video(path, most_bytes=5 * 48 * 64)


def test_a_file_that_may_not_be_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    path = write_film(tmp_path / "a.avi", grey_steps(3))
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(DataError, match="a.avi: video file cannot be read: Permission denied"):
        read_video(path)


def test_without_opencv_the_error_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_film(tmp_path / "a.avi", grey_steps(3))
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(ResourceError, match=r"opencv-python-headless.*pip install 'speechkd\[lipreading\]'"):
        read_video(path)


def test_importing_does_not_import_opencv() -> None:
    names = ("video", "tracking", "crops", "preview")
    program = (
        "".join(f"import speechkd.features.mouth.{name}\n" for name in names)
        + "import sys; print('cv2' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
