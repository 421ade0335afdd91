"""The ASGI application: routes, errors of one shape, and the gate in front."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from speechkd.errors import SpeechkdError
from speechkd.serve.gate import Gate
from speechkd.serve.metrics import Metrics
from speechkd.serve.options import Options
from speechkd.serve.page_files import Page
from speechkd.serve.refusals import Refusal, internal_error, refusal_of
from speechkd.serve.routes import Service, make_router
from speechkd.serve.voices import VoiceTable
from speechkd.serve.work import Work

log = logging.getLogger("speechkd.serve")


def make_app(voices: VoiceTable, options: Options, page: Page | None = None) -> Gate:
    """The application that speaks with `voices`. One application, one event loop."""
    work = Work(options.limits.threads, options.limits.places)
    metrics = Metrics(work)
    router = make_router(Service(voices, options.limits, work, metrics), page or Page())
    app = _bare_app(work)
    app.include_router(router)
    app.openapi()  # it keeps the document: the first who asks for it must not hold up the others
    return Gate(app, options, work, metrics, frozenset(getattr(route, "path", "") for route in router.routes))


def _bare_app(work: Work) -> FastAPI:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        work.close()

    # No pages of documentation: theirs load scripts from elsewhere.
    app = FastAPI(title="speechkd", lifespan=lifespan, docs_url=None, redoc_url=None, redirect_slashes=False)
    app.add_exception_handler(Refusal, _refused)
    app.add_exception_handler(SpeechkdError, _failed)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _no_route)
    app.add_exception_handler(Exception, _broken)
    return app


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)
    return _answer(error)


async def _failed(request: Request, error: Exception) -> Response:
    assert isinstance(error, SpeechkdError)
    refusal = refusal_of(error)
    if refusal.status >= 500:
        log.error("%s", error)
    return _answer(refusal)


async def _invalid(request: Request, error: Exception) -> Response:
    """The first thing that is wrong about a body. What the client sent is not repeated."""
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    if first["type"] == "json_invalid":
        return _answer(Refusal(400, "invalid_json", "the body is no JSON document"))
    param = ".".join(str(part) for part in first["loc"][1:]) or None
    shown = param[:100].encode("ascii", "replace").decode("ascii") if param else None
    return _answer(Refusal(422, "invalid_value", f"{shown}: {first['msg']}" if shown else first["msg"], shown))


async def _no_route(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    known = {404: ("not_found", "there is no such route"), 405: ("wrong_method", "this route has another method")}
    code, message = known.get(error.status_code, ("invalid_request", str(error.detail)))
    return _answer(Refusal(error.status_code, code, message))


async def _broken(request: Request, error: Exception) -> Response:
    # A bug. It is raised again behind this answer, and the gate writes it to the log.
    return _answer(internal_error())


def _answer(refusal: Refusal) -> Response:
    return Response(refusal.body(), refusal.status, {"content-type": "application/json", **refusal.headers})
