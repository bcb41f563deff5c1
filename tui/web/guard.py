"""Who may come in: the token in the address first, then where the request says it comes from.

A page of a stranger can make this machine's browser call any loopback port. It cannot know the
token; it cannot choose the Origin header; and a name that it lets point to 127.0.0.1 (DNS
rebinding) stands in the Host header. Each of the three alone keeps it out.
"""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable

from aiohttp import web
from aiohttp.typedefs import Middleware

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
REFUSED = (
    "This address is not complete. Open the whole one that `peer2prompt web` printed; it ends in a "
    "token, and is another one each time.\n"
)
FOREIGN = "This screen is opened by its own address on this machine only.\n"


def names_of(port: int) -> frozenset[str]:
    """What a browser on this machine may call us."""
    return frozenset({f"127.0.0.1:{port}", f"localhost:{port}"})


def guard(token: str, port: int) -> Middleware:
    """A middleware that lets nobody through to any route who lacks the token."""
    hosts = names_of(port)
    origins = {f"http://{host}" for host in hosts}

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        said = request.raw_path.split("/", 2)[1].partition("?")[0]
        if not hmac.compare_digest(said.encode(), token.encode()):
            raise web.HTTPForbidden(text=REFUSED)
        origin = request.headers.get("Origin")
        if request.headers.get("Host") not in hosts or (origin and origin not in origins):
            raise web.HTTPForbidden(text=FOREIGN)
        return await handler(request)

    return check


def seal(port: int) -> dict[str, str]:
    """Headers of every answer: nothing from elsewhere, nothing kept, in nobody's frame."""
    sockets = " ".join(f"ws://{host}" for host in sorted(names_of(port)))
    policy = (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' "
        f"data:; font-src 'self'; connect-src 'self' {sockets}; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'"
    )
    return {
        "Content-Security-Policy": policy,
        "Cache-Control": "no-store",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
    }
