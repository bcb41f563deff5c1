"""The ghost's way to its mints: as the settings say, and through a proxy in no other way."""

from __future__ import annotations

import httpx
import pytest

from engine.ghost_role import ghost_transport
from engine.mint_way import parse_way
from wallet.errors import MintUnreachable

MINT = "https://mint.example"
ONION = "http://abcdefgh.onion"


def test_without_a_proxy_it_speaks_directly() -> None:
    for via in ("", "direct", "circuit"):
        assert isinstance(ghost_transport(parse_way(via, "", []), MINT), httpx.AsyncHTTPTransport)


@pytest.mark.trio
async def test_with_a_proxy_everything_goes_through_it() -> None:
    way = parse_way("", "socks5h://127.0.0.1:1", [])
    for url in (MINT, ONION, "https://pay.example"):
        transport = ghost_transport(way, url)
        async with httpx.AsyncClient(transport=transport) as client:
            with pytest.raises(httpx.ConnectError):  # nobody is at the proxy's port
                await client.get(url)


def test_what_a_way_must_not_lead_to_is_refused() -> None:
    with pytest.raises(MintUnreachable, match="onion"):
        ghost_transport(parse_way("", "", []), ONION)
    with pytest.raises(MintUnreachable, match="plain HTTP"):
        ghost_transport(parse_way("", "socks5h://127.0.0.1:1", []), "http://mint.example")
