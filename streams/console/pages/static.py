"""Serves the style sheets and scripts, and the health pages `/healthz` and `/readyz`."""

from functools import cache
from pathlib import Path

from starlette.responses import JSONResponse, Response

from streams.console.site import PageRefusal, PageRequest
from streams.index.errors import IndexFault
from streams.index.schema import check

_FOLDER = Path(__file__).parents[1] / "static"
KINDS = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


@cache
def _files() -> dict[str, tuple[bytes, str]]:
    found = (it for it in _FOLDER.iterdir() if it.suffix in KINDS)
    return {it.name: (it.read_bytes(), KINDS[it.suffix]) for it in found}


def show(asked: PageRequest) -> Response:
    """Returns a file of the pages."""
    found = _files().get(asked.path("name"))
    if found is None:
        raise PageRefusal(404, "error.missing")
    body, kind = found
    return Response(body, headers={"Content-Type": kind, "Cache-Control": "max-age=3600"})


def alive(_: PageRequest) -> Response:
    """Says that the process answers."""
    return JSONResponse({"status": "alive"})


def ready(asked: PageRequest) -> Response:
    """Says whether the index can be asked; its log says why not."""
    try:
        check(asked.console.engine)
    except IndexFault:
        return JSONResponse({"ready": False}, status_code=503)
    return JSONResponse({"ready": True})
