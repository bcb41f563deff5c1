"""The body of an HTTP answer of a stranger, up to a limit. May not be more lenient for anybody."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import cast

import httpx
import trio

# What a transport may raise when the far end is gone, be it httpx's own or one over circuits.
BROKEN = (
    httpx.HTTPError,
    OSError,
    trio.BrokenResourceError,
    trio.ClosedResourceError,
    trio.TooSlowError,
)


class Unacceptable(Exception):
    """The answer is packed or too large; says how."""


async def read_all(response: httpx.Response, most: int) -> bytes:
    """The whole body of a streamed response. Raises Unacceptable, or one of BROKEN."""
    if "content-encoding" in response.headers:  # a small answer could unpack to a lot
        raise Unacceptable("it is packed although that was not asked for")
    data = bytearray()
    # A generator, whatever httpx calls it, which must be closed when we stop early.
    body_bytes = cast("AsyncGenerator[bytes, None]", response.aiter_bytes())
    try:
        async with aclosing(body_bytes) as chunks:
            async for chunk in chunks:
                if len(data) > most:
                    break
                data += chunk
                if len(data) > most:
                    # Closed from below, the next read fails and ends the generators that
                    # httpx has inside in order; the collector must not find them half read.
                    await response.aclose()
    except BROKEN:
        if len(data) <= most:
            raise
    if len(data) > most:
        raise Unacceptable("it is larger than any honest answer")
    return bytes(data)
