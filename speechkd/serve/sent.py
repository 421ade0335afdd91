"""An answer of bytes that are still being made."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

#: What is handed to the network at a time: a client that reads slowly holds up no more than this.
_PIECE_BYTES = 65_536


class Sent(Response):
    """Sends `first` and the pieces that follow, and closes them whatever happens: the work behind them then stops."""

    def __init__(self, first: bytes, pieces: AsyncGenerator[bytes, None], headers: Mapping[str, str]) -> None:
        self.status_code = 200
        self.background = None
        self._first = first
        self._pieces = pieces
        self.init_headers(headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        async with aclosing(self._pieces):
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            await _send_cut(self._first, send)
            async for piece in self._pieces:
                await _send_cut(piece, send)
            await send({"type": "http.response.body", "body": b""})


async def _send_cut(data: bytes, send: Send) -> None:
    for start in range(0, len(data), _PIECE_BYTES):
        body = data[start : start + _PIECE_BYTES]
        await send({"type": "http.response.body", "body": body, "more_body": True})
