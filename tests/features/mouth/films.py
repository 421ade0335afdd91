"""Films made by OpenCV for the tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from speechkd.features.mouth.opencv import import_cv2

pytest.importorskip("cv2", reason="needs OpenCV (the extra lipreading)")
# Silent from its first film on, whichever test comes first.
cv2 = import_cv2()


def grey_steps(n_frames: int, height: int = 48, width: int = 64) -> np.ndarray:
    """Frames (T, H, W), each of one grey, brighter with time, with a dark half that tells left from right."""
    levels = np.linspace(60, 220, n_frames).round().astype(np.uint8)
    frames = np.repeat(np.repeat(levels[:, None, None], height, axis=1), width, axis=2)
    frames[:, :, : width // 2] //= 2
    return frames


def write_film(path: Path, frames: np.ndarray, fps: float = 25.0, codec: str = "MJPG") -> Path:
    """Write grey frames (T, H, W) as a film; the suffix names the container."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*codec), fps, frames.shape[:0:-1])
    assert writer.isOpened()
    for frame in frames:
        writer.write(np.repeat(frame[:, :, None], 3, axis=2))
    writer.release()
    return path
