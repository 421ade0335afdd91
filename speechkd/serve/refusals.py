"""Why a request gets no speech, in the one shape that OpenAI's clients read."""

from __future__ import annotations

import json
from collections.abc import Mapping

from speechkd.errors import DataError, SpeechkdError, UsageError

_KINDS = {503: "overloaded_error", 504: "timeout_error", 408: "timeout_error"}


class Refusal(Exception):
    """An answer that is an error: its HTTP status, a sentence for people, a code for programs.

    `param` names the field of the request that is wrong.
    """

    def __init__(
        self, status: int, code: str, message: str, param: str | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.param = param
        self.headers = dict(headers or {})

    def body(self) -> bytes:
        """The JSON document of the answer."""
        kind = _KINDS.get(self.status, "invalid_request_error" if self.status < 500 else "server_error")
        error = {"message": str(self), "type": kind, "param": self.param, "code": self.code}
        return json.dumps({"error": error}).encode("ascii")


def refusal_of(error: SpeechkdError) -> Refusal:
    """What a client is told of an error that a voice raised: the client's own fault in full, ours in general."""
    if isinstance(error, UsageError | DataError):
        return Refusal(422, "cannot_be_spoken", str(error))
    # Its text names files of this machine; it goes to the log.
    return Refusal(500, "voice_failed", "the voice failed: see the server's log")


def internal_error() -> Refusal:
    """What a client is told of a bug."""
    return Refusal(500, "internal_error", "the server failed: see its log")
