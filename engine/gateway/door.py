"""Who may come in: the checks before any request is looked at. Pure but for counting bytes.

A web page that the user has open can make the browser speak to a local port. It cannot lie about
its Origin, so a request that has one is refused; and a name that was made to point here (DNS
rebinding) stands in the Host header, so only the names of this machine are let in. What remains
needs a key.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from typing import Any, TypeAlias

import trio

from engine.gateway.keys import ApiKeys
from engine.gateway.problems import Problem
from engine.gateway.settings import LOOPBACK
from engine.session.context import MAX_BODY_BYTES

Message: TypeAlias = MutableMapping[str, Any]
Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
Serve: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

MAX_REQUEST_BYTES = MAX_BODY_BYTES + 64_000
"""A question may be as long as a ghost takes, and the options that stay here."""
READ_S = 30.0
"""For a request's body to come."""


def check(headers: Iterable[tuple[bytes, bytes]], keys: ApiKeys) -> str:
    """The name of the key that a request came with. Raises Problem."""
    found = _headers(headers)
    _check_host(found)
    _check_page(found)
    name = keys.name_of(_token(found))
    if name is None:
        raise Problem(
            401,
            "invalid_api_key",
            "The request came without a valid key.",
            "Make one with: peer2prompt api key new NAME",
            headers={"WWW-Authenticate": "Bearer"},
        )
    length = found.get("content-length", "0")
    if not length.isascii() or not length.isdigit() or int(length[:20]) > MAX_REQUEST_BYTES:
        raise too_large()
    return name


async def read_body(receive: Receive) -> bytes:
    """The whole body. Raises Problem when it is too long, too slow or broken off."""
    body = bytearray()
    with trio.move_on_after(READ_S):
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise Problem(400, "broken_off", "The request broke off.")
            body += message.get("body", b"")
            if len(body) > MAX_REQUEST_BYTES:
                raise too_large()
            if not message.get("more_body", False):
                return bytes(body)
    raise Problem(408, "timeout", "The request's body did not come in time.")


def too_large() -> Problem:
    """The body is longer than any ghost takes."""
    size = MAX_REQUEST_BYTES // 1000
    return Problem(
        413,
        "request_too_large",
        f"The request is longer than {size} kB.",
        "Send a shorter conversation or a smaller picture.",
        "Nothing was sent.",
    )


def _headers(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """By lower-case name. One that may stand once only and stands twice is refused."""
    found: dict[str, str] = {}
    for raw_name, value in headers:
        name = raw_name.decode("latin-1").lower()
        if name in found and name in ("host", "authorization", "x-api-key", "content-length"):
            raise Problem(400, "bad_headers", f"The header {name} stands there twice.")
        found[name] = value.decode("latin-1").strip()
    return found


def _check_host(headers: Mapping[str, str]) -> None:
    host = headers.get("host", "")
    name, colon, port = host.rpartition(":")
    if not colon or host.endswith("]"):
        name, port = host, "0"
    if name.strip("[]").lower() not in LOOPBACK or not port.isascii() or not port.isdigit():
        raise Problem(
            403,
            "foreign_host",
            "The request names another host than this machine.",
            "Use the address that `peer2prompt api status` shows.",
        )


def _check_page(headers: Mapping[str, str]) -> None:
    if "origin" in headers or headers.get("sec-fetch-site", "none") != "none":
        raise Problem(
            403,
            "web_page",
            "Web pages may not use this API.",
            "Use a program outside the browser, or one that asks from its own server.",
        )


def _token(headers: Mapping[str, str]) -> str:
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return token.strip()
    return headers.get("x-api-key", "")
