"""speechkd: fast, small speech models made from slow, large ones.

>>> import speechkd
>>> voice = speechkd.load_voice()  # doctest: +SKIP
>>> voice.synthesize("Hello world.").save("hello.wav")  # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from speechkd.synthesis.load import load_voice

__all__ = ["__version__", "load_voice"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    # Loaded on first use: importing speechkd stays instant.
    if name == "load_voice":
        from speechkd.synthesis.load import load_voice

        return load_voice
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
