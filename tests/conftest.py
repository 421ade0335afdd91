"""What all tests share."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# The hub's client reads this once; the tests' hub is a server on this machine, which is there offline too.
os.environ["HF_HUB_OFFLINE"] = "0"

# A shell starts background jobs with SIGINT ignored, and their children inherit that: interrupts could not be tested.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def shared_data(subpath: str) -> Path:
    """Real data in $SPEECHKD_SHARED or in the folder `shared` beside the repository; skips the test without it."""
    shared = Path(os.environ.get("SPEECHKD_SHARED", ROOT.parent / "shared"))
    path = shared / subpath
    if not path.exists():
        pytest.skip(f"needs the real data in {path} (set SPEECHKD_SHARED)")
    return path


@pytest.fixture(name="shared_data", scope="session")
def _shared_data() -> Callable[[str], Path]:
    """The same as a fixture: `shared_data("data/speech")`."""
    return shared_data
