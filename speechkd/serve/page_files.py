"""The page: files of the package, read once, served under a policy that lets nothing else in."""

from __future__ import annotations

from pathlib import Path

from starlette.responses import Response

from speechkd.serve.refusals import Refusal

FOLDER = Path(__file__).parent / "page"
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_INDEX = "index.html"
#: Nothing from elsewhere, nothing inline; sound that a script holds may be played.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "media-src 'self' blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class Page:
    """The files as they were when the server started, by their routes; the index is `/`."""

    def __init__(self, folder: Path = FOLDER) -> None:
        files = sorted(path for path in folder.glob("*") if path.suffix in _TYPES)
        self._content = {_route(path): (path.read_bytes(), _TYPES[path.suffix]) for path in files}

    @property
    def routes(self) -> tuple[str, ...]:
        """The routes of its files; `/` is always one."""
        return tuple({"/": None, **self._content})

    @property
    def is_there(self) -> bool:
        """Whether this installation has a page."""
        return "/" in self._content

    def answer(self, route: str) -> Response:
        """The file of one of the `routes`. Refusal (404) where this installation has no page."""
        if route not in self._content:
            raise Refusal(404, "not_found", "this installation has no page; the routes for programs are all there")
        content, kind = self._content[route]
        return Response(content, headers={"content-type": kind, "content-security-policy": POLICY})


def _route(path: Path) -> str:
    return "/" if path.name == _INDEX else f"/{path.name}"
