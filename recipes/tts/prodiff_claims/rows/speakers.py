"""Several speakers in one model."""

from __future__ import annotations

import numpy as np

from recipes.tts.common.claims.claim import Claim, Evidence, Measured, Missing, listed, require, systems

PAPER = "ProDiff"


def quality(evidence: Evidence) -> Measured:
    """Distortion by speaker: within a tenth of that of a model of this speaker alone."""
    require(evidence, "student", "second")
    (rows,) = systems(evidence, "speakers", "joined")
    if len(rows) < 2:
        raise Missing("the runs of one speaker have not held out what the joined one has")
    errors = {who: (float(np.mean(row["joined_db"])), float(np.mean(row["alone_db"]))) for who, row in rows.items()}
    shown = {
        who: f"{joined:.2f} dB, alone {alone:.2f} dB ({joined / alone - 1:+.1%})"
        for who, (joined, alone) in errors.items()
    }
    return Measured(listed(shown), all(joined <= 1.1 * alone for joined, alone in errors.values()))


def told_apart(evidence: Evidence) -> Measured:
    """The classifier recognises the voice in nine of ten outputs, of every speaker."""
    systems(evidence, "speakers", "joined")
    found = evidence["speakers"]["told_apart"]
    each, spoken = found["of_each"], found["spoken"]
    right = sum(spoken.values()) / (each * len(spoken))
    shown = listed({who: f"{count} of {each}" for who, count in spoken.items()})
    ours = f"{right:.1%} of outputs ({shown}); of held-out recordings {found['recordings']} of {each}"
    return Measured(ours, right >= 0.9)


SPEAKERS = (
    Claim("per_speaker", PAPER, "Several speakers: each within 10 % of a model of its own (MCD of mels by DTW, "
          "held-out sentences)", "extends to LibriTTS, figures not at hand", "speakers", quality),
    Claim("told_apart", PAPER, "Several speakers: told apart in 90 % of what is said, each held-out sentence in every "
          "voice (linear discriminants on cepstra, learned from recordings)", "a figure", "speakers", told_apart),
)  # fmt: skip
