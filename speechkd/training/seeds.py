"""Randomness that does not depend on history: every draw's seed is derived from where it happens.

A resumed run therefore is the same run: step 731 sees the same dropout whether or not the process was killed at 730.
"""

from __future__ import annotations

import hashlib


def derive_seed(run: int, *, epoch: int = 0, step: int = 0, rank: int = 0, purpose: str) -> int:
    """A 63-bit seed that is a pure function of its arguments."""
    text = f"{run}/{epoch}/{step}/{rank}/{purpose}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
