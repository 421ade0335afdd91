"""What every request passes first: who may ask, how much, for how long. An ASGI application around another."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import random
import re
from collections.abc import Mapping

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from speechkd.serve.limits import Limits
from speechkd.serve.metrics import Metrics
from speechkd.serve.options import Options
from speechkd.serve.refusals import Refusal, internal_error
from speechkd.serve.work import Work, queue_full

log = logging.getLogger("speechkd.serve")

#: The routes that take a body and a place in the queue.
SPEAKING = frozenset({"/v1/audio/speech", "/synthesize"})
_HOST = re.compile(r"(?:\[(?P<v6>[0-9a-fA-F:.]+)\]|(?P<name>[A-Za-z0-9._-]+))(?::\d{1,5})?")
_WILDCARDS = frozenset({"0.0.0.0", "::"})
_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
)
_GONE = 499


class Gate:
    """Checks, limits and counts; what it lets through is answered by `app`."""

    def __init__(self, app: ASGIApp, options: Options, work: Work, metrics: Metrics, routes: frozenset[str]) -> None:
        self._app = app
        self._options = options
        self._work = work
        self._metrics = metrics
        self._routes = routes

    @property
    def _limits(self) -> Limits:
        return self._options.limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (or take part in the start and end of the server)."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answer = _Answer(send, self._limits.slow_s)
        with self._metrics.in_flight.track_inprogress():
            await self._answer(scope, receive, answer)
        route = scope["path"] if scope["path"] in self._routes else "other"
        self._metrics.requests.labels(route, str(answer.status or _GONE)).inc()

    async def _answer(self, scope: Scope, receive: Receive, answer: _Answer) -> None:
        try:
            check_head(scope, self._options)
            if scope["method"] == "POST" and scope["path"] in SPEAKING:
                await self._speak(scope, receive, answer)
            else:
                await self._app(scope, receive, answer.send)
        except Refusal as refusal:
            if refusal.code == "queue_full":
                self._metrics.rejected.inc()
            await answer.refuse(refusal)
        except (_Gone, TimeoutError):
            return  # what has begun and cannot end is cut: uvicorn closes the connection
        except Exception as error:
            if not isinstance(error.__cause__, Refusal):
                log.exception("a request failed")
            await answer.refuse(internal_error())

    async def _speak(self, scope: Scope, receive: Receive, answer: _Answer) -> None:
        _check_type(_headers(scope))
        if self._work.full:
            # Not all after the same time: they would all be back at once.
            await asyncio.sleep(self._limits.full_answer_s * random.uniform(0.5, 1.5))
        if self._work.full:
            raise queue_full()
        body = await self._body(scope, receive)
        with self._work.place():
            await self._watched(scope, body, receive, answer)

    async def _body(self, scope: Scope, receive: Receive) -> bytes:
        """The whole body, within its limits of size (Refusal 413) and time (408)."""
        too_long = Refusal(413, "body_too_long", f"a body may have {self._limits.body_bytes} bytes")
        length = _headers(scope).get("content-length", "0")
        if not length.isdecimal() or int(length[:20]) > self._limits.body_bytes:
            raise too_long
        body = bytearray()
        try:
            async with asyncio.timeout(self._limits.slow_s):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise _Gone
                    body += message.get("body", b"")
                    if len(body) > self._limits.body_bytes:
                        raise too_long
                    if not message.get("more_body"):
                        return bytes(body)
        except TimeoutError:
            why = f"the body took longer than {self._limits.slow_s:g} s"
            raise Refusal(408, "body_too_slow", why, headers={"connection": "close"}) from None

    async def _watched(self, scope: Scope, body: bytes, receive: Receive, answer: _Answer) -> None:
        """The answer, for as long as its client is there and its time is not up."""
        made = asyncio.ensure_future(self._app(scope, _replay(body), answer.send))
        gone = asyncio.ensure_future(_disconnected(receive))
        try:
            ended, _ = await asyncio.wait(
                {made, gone}, timeout=self._limits.request_s, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            await _give_up(made, gone)
        if made in ended:
            made.result()
        elif gone in ended:
            raise _Gone
        else:
            raise Refusal(504, "too_slow", f"speaking took longer than {self._limits.request_s:g} s")


class _Gone(Exception):
    """The client went away."""


class _Answer:
    """The answer to one request on its way out: every answer gets the same headers, none may be taken too slowly."""

    def __init__(self, send: Send, slow_s: float) -> None:
        self._send = send
        self._slow_s = slow_s
        self.status: int | None = None

    async def send(self, message: Message) -> None:
        """Hand a message on. TimeoutError when the client does not take what was sent before."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message = {**message, "headers": [*message.get("headers", ()), *_HEADERS]}
        async with asyncio.timeout(self._slow_s):
            await self._send(message)

    async def refuse(self, refusal: Refusal) -> None:
        """Answer with an error; an answer that has begun can only be left unfinished."""
        if self.status is not None:
            return
        body = refusal.body()
        headers = {"content-type": "application/json", "content-length": str(len(body)), **refusal.headers}
        raw = [(name.encode("ascii"), value.encode("ascii")) for name, value in headers.items()]
        await self.send({"type": "http.response.start", "status": refusal.status, "headers": raw})
        await self.send({"type": "http.response.body", "body": body})


def check_head(scope: Scope, options: Options) -> None:
    """Refusal for a request that calls the server by a strange name, comes from another site, or has a query.

    A page of another site that points its own name at this machine (DNS rebinding) is known by the Host header.
    """
    headers = _headers(scope)
    host = headers.get("host", "")
    if not _is_known(host, options):
        raise Refusal(421, "unknown_host", "this server is not called so: see the option --allow-host")
    origin = headers.get("origin")
    if origin is not None and origin.lower() not in (f"http://{host}".lower(), f"https://{host}".lower()):
        raise Refusal(403, "other_origin", "pages of other sites may not use this server")
    if scope["query_string"]:
        raise Refusal(400, "no_query", "no route of this server reads a query")


def _is_known(host: str, options: Options) -> bool:
    match = _HOST.fullmatch(host)
    if match is None:
        return False
    name = (match["v6"] or match["name"]).lower()
    # No site can point its own name here and send a bare address.
    return name in options.known_hosts or (options.host in _WILDCARDS and _is_address(name))


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _check_type(headers: Mapping[str, str]) -> None:
    # Other types are what a form of any web page may send without being asked by its browser.
    kind, _, parameters = headers.get("content-type", "").partition(";")
    charset = parameters.lower().replace(" ", "").replace('"', "")
    if kind.strip().lower() != "application/json" or charset not in ("", "charset=utf-8"):
        raise Refusal(415, "not_json", "send application/json in UTF-8")
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise Refusal(415, "not_plain", "send the body without a content-encoding")


def _headers(scope: Scope) -> dict[str, str]:
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}


def _replay(body: bytes) -> Receive:
    """A `receive` that gives the body, and then nothing any more: others watch for the client's going."""
    given = False

    async def receive() -> Message:
        nonlocal given
        if given:
            await asyncio.Event().wait()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _give_up(*tasks: asyncio.Future[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
