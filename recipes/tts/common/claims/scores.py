"""What the systems' own runs scored."""

from __future__ import annotations

from typing import Any

from recipes.tts.common.claims.claim import Evidence, Missing, need, require


def scores(evidence: Evidence, name: str) -> dict[str, Any]:
    """What the stage `score` of a system found for fully predicted speech; Missing if it did not run."""
    require(evidence, name)
    row: dict[str, Any] = need(evidence, "systems", name).get("scores", {}).get("predicted", {})
    if row.get("mcd_dtw_db") is None:
        raise Missing(f"the run of {name} has no scores")
    return row


def quality_text(row: dict[str, Any]) -> str:
    """The scores in words."""
    errors = row.get("word_error_rate")
    return f"{row['mcd_dtw_db']:.2f} dB MCD" + (f", {errors:.1%} word errors" if errors is not None else "")
