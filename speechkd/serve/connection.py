"""uvicorn's connections, with the limits that it lacks: on their number, and on how long each may take.

What a request takes is the gate's affair. Here end the connections that never become a request, and those whose
client does not read what it asked for.
"""

from __future__ import annotations

import asyncio

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from speechkd.serve.limits import Limits
from speechkd.serve.refusals import Refusal

_HEAD = (
    "HTTP/1.1 {status} {phrase}\r\ncontent-type: application/json\r\n"
    "content-length: {length}\r\nconnection: close\r\n\r\n"
)
_PHRASES = {400: "Bad Request", 503: "Service Unavailable"}


def bounded(limits: Limits) -> type[asyncio.Protocol]:
    """The class of connections with these limits."""

    class Bounded(_Connection):
        """One connection."""

        bounds = limits

    return Bounded


class _Connection(H11Protocol):
    bounds: Limits
    _timer: asyncio.TimerHandle | None = None
    _begun: object = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        super().connection_made(transport)
        self._allow(self.bounds.slow_s)
        if len(self.connections) > self.bounds.connections:
            self._refuse(Refusal(503, "too_many_connections", "too many connections are open: try again later"))

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        super().connection_lost(exc)

    def handle_events(self) -> None:
        super().handle_events()
        if self.cycle is not self._begun and not self.cycle.response_complete:
            # The head of a request is there. The gate is stricter; this ends what the gate has given up.
            self._begun = self.cycle
            limits = self.bounds
            self._allow(limits.full_answer_s + limits.slow_s + limits.request_s + limits.slow_s)

    def on_response_complete(self) -> None:
        # Time to take the rest of the answer, and to send the head of another request.
        self._allow(self.bounds.idle_s + self.bounds.slow_s)
        super().on_response_complete()

    def send_400_response(self, msg: str) -> None:
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            self._refuse(Refusal(400, "invalid_http", "this is no valid HTTP request"))
        else:
            self.transport.abort()

    def _refuse(self, refusal: Refusal) -> None:
        body = refusal.body()
        head = _HEAD.format(status=refusal.status, phrase=_PHRASES[refusal.status], length=len(body))
        self.transport.write(head.encode("ascii") + body)
        self.transport.close()

    def _allow(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self.loop.call_later(seconds, self.transport.abort)
