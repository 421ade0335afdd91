"""The WORLD vocoder's pitch trackers (pyworld), imported without its warning."""

from __future__ import annotations

import warnings
from types import ModuleType

from speechkd.errors import missing_extra


def import_pyworld() -> ModuleType:
    """pyworld. Its import warns that pkg_resources is deprecated, which no user can act on."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="pkg_resources is deprecated")
        try:
            import pyworld
        except ImportError as error:
            raise missing_extra("pyworld", "train", "finding the pitch") from error
    module: ModuleType = pyworld
    return module
