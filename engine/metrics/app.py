"""The page of metrics as an ASGI application: one address, read only."""

from __future__ import annotations

from collections.abc import Callable

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from engine.gateway.settings import LOOPBACK
from engine.metrics.exposition import CONTENT_TYPE


def application(page: Callable[[], bytes], *, anywhere: bool) -> Starlette:
    """`/metrics`, to programs of this machine (or, with `anywhere`, to every machine that can
    connect), never to a web page."""

    async def read(request: Request) -> Response:
        if not _may_read(request, anywhere=anywhere):
            return Response("Metrics are not for web pages or other names.\n", 403)
        return Response(page(), media_type=CONTENT_TYPE)

    return Starlette(routes=[Route("/metrics", read, methods=["GET"])])


def _may_read(request: Request, *, anywhere: bool) -> bool:
    headers = request.headers
    if "origin" in headers or headers.get("sec-fetch-site", "none") != "none":
        return False
    host = headers.get("host", "")
    name, colon, _ = host.rpartition(":")
    if not colon or host.endswith("]"):
        name = host
    return anywhere or name.strip("[]").lower() in LOOPBACK
