"""The style and the few lines of script, read once from the package."""

from __future__ import annotations

from importlib.resources import files

from aiohttp import web

_TYPES = {"page.css": "text/css", "page.js": "text/javascript", "page.svg": "image/svg+xml"}
_BODIES = {name: (files("daemon.page") / "static" / name).read_bytes() for name in _TYPES}


def routes() -> list[web.RouteDef]:
    return [web.get(f"/static/{name}", _serve) for name in _TYPES]


async def _serve(request: web.Request) -> web.Response:
    """There is nothing personal in them; their address changes with the version."""
    name = request.path.rpartition("/")[2]
    headers = {"Cache-Control": "private, max-age=86400", "X-Content-Type-Options": "nosniff"}
    return web.Response(body=_BODIES[name], content_type=_TYPES[name], charset="utf-8", headers=headers)
