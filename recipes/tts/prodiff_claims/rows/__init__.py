"""A row of the table for every claim: a function from what the stages measured, as JSON, to a figure and a verdict."""

from __future__ import annotations

from recipes.tts.common.claims.claim import Claim
from recipes.tts.prodiff_claims.rows.distillation import DISTILLATION
from recipes.tts.prodiff_claims.rows.parameterisation import PARAMETERISATION
from recipes.tts.prodiff_claims.rows.speakers import SPEAKERS
from recipes.tts.prodiff_claims.rows.speed import SPEED

CLAIMS: tuple[Claim, ...] = (*PARAMETERISATION, *DISTILLATION, *SPEED, *SPEAKERS)
ROWS: tuple[str, ...] = tuple(claim.id for claim in CLAIMS)
