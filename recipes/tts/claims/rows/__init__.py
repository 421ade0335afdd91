"""A row of the table for every claim: a function from what the stages measured, as JSON, to a figure and a verdict."""

from __future__ import annotations

from recipes.tts.claims.rows.fastspeech import FASTSPEECH
from recipes.tts.claims.rows.fastspeech2 import FASTSPEECH2
from recipes.tts.common.claims.claim import Claim, Evidence, Measured, Missing, Row, row_of

CLAIMS: tuple[Claim, ...] = (*FASTSPEECH, *FASTSPEECH2)
ROWS: tuple[str, ...] = tuple(claim.id for claim in CLAIMS)

__all__ = ["CLAIMS", "ROWS", "Claim", "Evidence", "Measured", "Missing", "Row", "row_of"]
