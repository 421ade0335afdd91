"""OpenCV, imported when it is needed and without its chatter."""

from __future__ import annotations

import os
from types import ModuleType

from speechkd.errors import missing_extra

EXTRA = "lipreading"
# FFmpeg's AV_LOG_QUIET. OpenCV reads it when it opens its first film.
_QUIET = "-8"


def import_cv2() -> ModuleType:
    """cv2. It and its FFmpeg print on stderr about every damaged byte; here errors say that once, in a line.
    A program that had OpenCV open a film before keeps FFmpeg's chatter.

    Raises ResourceError where OpenCV is not installed.
    """
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", _QUIET)
    try:
        import cv2
    except ImportError as error:
        raise missing_extra("opencv-python-headless", EXTRA, "reading video") from error
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    module: ModuleType = cv2
    return module
