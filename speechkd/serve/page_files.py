"""The page: three files of the package, read once, served under a policy that lets nothing else in."""

from __future__ import annotations

from pathlib import Path

from starlette.responses import Response

from speechkd.serve.refusals import Refusal

FOLDER = Path(__file__).parent / "page"
FILES = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
}
#: Nothing from elsewhere, nothing inline; sound that a script holds may be played.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "media-src 'self' blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class Page:
    """The files as they were when the server started."""

    def __init__(self, folder: Path = FOLDER) -> None:
        found = {route: folder / name for route, (name, _) in FILES.items()}
        self._content = {route: path.read_bytes() for route, path in found.items() if path.is_file()}

    @property
    def is_there(self) -> bool:
        """Whether this installation has a page."""
        return "/" in self._content

    def answer(self, route: str) -> Response:
        """The file of a route of `FILES`. Refusal (404) where this installation has none."""
        if route not in self._content:
            raise Refusal(404, "not_found", "this installation has no page; the routes for programs are all there")
        return Response(
            self._content[route], headers={"content-type": FILES[route][1], "content-security-policy": POLICY}
        )
