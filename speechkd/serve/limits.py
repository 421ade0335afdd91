"""Every limit of the server, in one table."""

from __future__ import annotations

from pydantic import Field

from speechkd.config.model import Config


class Limits(Config):
    """What one client, and all of them together, may ask of the server."""

    body_bytes: int = Field(1_000_000, ge=1_000, description="length of a request's body; longer: 413")
    text_chars: int = Field(20_000, ge=1, description="characters of a text or of an SSML document; more: 422")
    audio_s: float = Field(600.0, gt=0, description="seconds of speech in one answer; more: 422, or a stream cut short")
    threads: int = Field(2, ge=1, le=256, description="requests that are spoken at a time")
    queue: int = Field(16, ge=0, description="requests that wait to be spoken; one more: 503")
    full_answer_s: float = Field(
        1.0,
        ge=0,
        description="seconds, give or take half, before that 503 is sent: who tries again at once is slowed down",
    )
    request_s: float = Field(
        60.0, gt=0, description="seconds from the whole request to the last byte of its answer; longer: 504, or cut"
    )
    slow_s: float = Field(
        15.0, gt=0, description="seconds for a request's head, for its body, and for taking a piece of the answer; "
        "longer: 408, or cut"
    )  # fmt: skip
    idle_s: float = Field(5.0, gt=0, description="seconds that a connection may stay open between two requests")
    shutdown_s: float = Field(10.0, gt=0, description="seconds that requests under way are given when the server stops")
    connections: int = Field(256, ge=1, description="open connections; one more: 503")

    @property
    def places(self) -> int:
        """Requests to speak that may be open at a time: spoken, waiting or being sent."""
        return self.threads + self.queue


def limits_table(limits: Limits | None = None) -> str:
    """The limits as a table of Markdown, with their values here (the defaults unless given)."""
    values = limits or Limits()
    rows = [
        f"| `{name}` | {getattr(values, name):,g} | {field.description} |"
        for name, field in Limits.model_fields.items()
    ]
    return "\n".join(["| limit | value | of |", "| --- | --- | --- |", *rows])
