"""The page: files of the package, read once, served under a policy that lets nothing else in."""

from __future__ import annotations

from pathlib import Path

from starlette.responses import Response

from speechkd.serve.refusals import Refusal

FOLDER = Path(__file__).parent / "page"
_KINDS = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
#: Where the page lies; its other files are beside it, by their names.
HOME = "/"
_INDEX = "index.html"
#: Nothing from elsewhere, nothing inline; sound that a script holds may be played.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "media-src 'self' blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class Page:
    """The files as they were when the server started."""

    def __init__(self, folder: Path = FOLDER) -> None:
        files = sorted(path for path in folder.glob("*.*") if path.suffix in _KINDS)
        self._files = {
            HOME if path.name == _INDEX else f"/{path.name}": (path.read_bytes(), _KINDS[path.suffix]) for path in files
        }

    @property
    def routes(self) -> tuple[str, ...]:
        """Where its files are; the page itself always has a route, which says so where this installation has none."""
        return tuple({HOME: None} | dict.fromkeys(self._files))

    @property
    def is_there(self) -> bool:
        """Whether this installation has a page."""
        return HOME in self._files

    def answer(self, route: str) -> Response:
        """The file of one of the `routes`. Refusal (404) where this installation has none."""
        if route not in self._files:
            raise Refusal(404, "not_found", "this installation has no page; the routes for programs are all there")
        content, kind = self._files[route]
        headers = {"content-type": f"{kind}; charset=utf-8", "content-security-policy": POLICY}
        return Response(content, headers=headers)
