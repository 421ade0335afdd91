"""The running server: a socket, uvicorn, and a quiet end."""

from __future__ import annotations

import logging
import signal
import socket
from collections.abc import Callable

import uvicorn

from speechkd.errors import ResourceError
from speechkd.serve.app import make_app
from speechkd.serve.connection import bounded
from speechkd.serve.options import Options
from speechkd.serve.page_files import Page
from speechkd.serve.voices import VoiceTable

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def run_server(voices: VoiceTable, options: Options, say: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT; what is under way then is finished, for at most `Limits.shutdown_s` seconds.

    `say` gets the line with the address when clients can connect. Raises ResourceError for an address that cannot be
    listened at.
    """
    page = Page()
    server = make_server(voices, options, page)
    with listen(options) as listening:
        before = {each: signal.signal(each, lambda *_: None) for each in _SIGNALS}
        say(f"speaking with {', '.join(voices.names)} at {address(listening)}{_of_the_page(page)}")
        try:
            # uvicorn has its own handlers while it runs, and passes the signal on to these when it is done.
            server.run(sockets=[listening])
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)


def _of_the_page(page: Page) -> str:
    return ", where a browser finds the page" if page.is_there else ""


def make_server(voices: VoiceTable, options: Options, page: Page | None = None) -> uvicorn.Server:
    """uvicorn, with nothing of it that tells who we are or that reads more than it must."""
    limits = options.limits
    config = uvicorn.Config(
        make_app(voices, options, page),
        http=bounded(limits),
        ws="none",
        loop="asyncio",
        lifespan="on",
        server_header=False,
        proxy_headers=False,
        access_log=False,
        log_config=None,
        log_level=logging.ERROR,
        timeout_keep_alive=limits.idle_s,  # type: ignore[arg-type]  # any number of seconds will do
        timeout_graceful_shutdown=limits.shutdown_s,  # type: ignore[arg-type]
        backlog=limits.connections,
    )
    return uvicorn.Server(config)


def listen(options: Options) -> socket.socket:
    """The listening socket. Raises ResourceError."""
    try:
        family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
        return socket.create_server((options.host, options.port), family=family, backlog=options.limits.connections)
    except OSError as error:
        where = f"{options.host}:{options.port}"
        raise ResourceError("cannot listen", where=where, why=error.strerror or str(error),
                            todo="Choose another --host or --port") from error  # fmt: skip


def address(listening: socket.socket) -> str:
    """The URL of a listening socket."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"
