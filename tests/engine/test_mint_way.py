"""Mints through a SOCKS proxy: every name and byte goes through it, or nothing goes at all."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest
import trio

from engine.config import parse_config
from engine.errors import ConfigError
from engine.mint_way import MintWay, parse_proxy, parse_way
from tests.helpers.ws_server import Peer, Script
from wallet.ecash.subscriptions import News, Topic
from wallet.errors import MintUnreachable
from wallet.live import open_feed
from wallet.mint import MintClient

ONION = "http://" + "a" * 56 + ".onion"
PROXY = "socks5h://127.0.0.1:9050"


class SocksServer:
    """A SOCKS5 proxy behind which every host is the same small mint, or plays a script; notes who
    asked for what."""

    def __init__(self, script: Script | None = None) -> None:
        self._script = script
        self.asked: list[tuple[str, str, int]] = []
        self.port = 0

    async def serve(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        self.port = listeners[0].socket.getsockname()[1]
        await trio.serve_listeners(self._client, listeners, task_status=_Started(task_status))

    async def _client(self, stream: trio.SocketStream) -> None:
        with_user = await self._exactly(stream, 2)
        assert await self._exactly(stream, with_user[1]) == b"\x02", "a user name is offered"
        await stream.send_all(b"\x05\x02")
        (_, length) = await self._exactly(stream, 2)
        user = (await self._exactly(stream, length)).decode()
        (length,) = await self._exactly(stream, 1)
        await self._exactly(stream, length)
        await stream.send_all(b"\x01\x00")
        head = await self._exactly(stream, 4)
        assert head == b"\x05\x01\x00\x03", "the host comes as a name"
        (length,) = await self._exactly(stream, 1)
        host = (await self._exactly(stream, length)).decode()
        port = int.from_bytes(await self._exactly(stream, 2), "big")
        self.asked.append((user, host, port))
        await stream.send_all(b"\x05\x00\x00\x01" + bytes(6))
        if self._script is not None:
            await self._script(Peer(stream))
            return
        await stream.receive_some(65_536)
        body = b'{"name": "Hidden"}'
        head = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: %d\r\n\r\n" % len(body)
        await stream.send_all(head + body)

    async def _exactly(self, stream: trio.SocketStream, count: int) -> bytes:
        data = b""
        while len(data) < count:
            part = await stream.receive_some(count - len(data))
            assert part
            data += part
        return data


class _Started:
    """`serve_listeners` reports its listeners; nobody needs them."""

    def __init__(self, status: trio.TaskStatus[None]) -> None:
        self._status = status

    def started(self, _listeners: object = None) -> None:
        self._status.started()


def client(proxy: str, url: str, tag: str = "") -> MintClient:
    return MintClient(url, parse_proxy(proxy).transport(tag or url), timeout_s=5)


@pytest.mark.trio
async def test_news_of_an_onion_mint_come_through_the_proxy() -> None:
    async def script(peer: Peer) -> None:
        await peer.accept()
        await peer.tell("q", "PAID")
        await peer.until_closed()

    server = SocksServer(script)
    async with trio.open_nursery() as nursery:
        await nursery.start(server.serve)
        proxy = parse_proxy(f"socks5h://127.0.0.1:{server.port}")
        transport = proxy.transport(ONION)
        async with open_feed(ONION, transport, Topic.MINT_QUOTE, ["q"], 5) as feed:
            with trio.fail_after(60):
                assert await feed.next() == News("q", "PAID")
        nursery.cancel_scope.cancel()
    assert [host for _, host, _ in server.asked] == [ONION.removeprefix("http://")]


@pytest.mark.trio
async def test_an_onion_mint_is_reached_by_name_through_the_proxy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No name is looked up here, and two mints are two users of the proxy."""
    looked_up: list[object] = []
    real = socket.getaddrinfo

    def watch(host: Any, *rest: Any, **options: Any) -> Any:
        looked_up.append(host)
        return real(host, *rest, **options)

    monkeypatch.setattr(socket, "getaddrinfo", watch)
    server = SocksServer()
    async with trio.open_nursery() as nursery:
        await nursery.start(server.serve)
        proxy = parse_proxy(f"socks5h://127.0.0.1:{server.port}")
        other = ONION.replace("aaa", "bbb")
        for url in (ONION, ONION, other):
            mint = MintClient(url, proxy.transport(url), timeout_s=5)
            assert (await mint.info()).name == "Hidden"
            await mint.aclose()
        nursery.cancel_scope.cancel()
    users = [user for user, _, _ in server.asked]
    assert [(host, port) for _, host, port in server.asked] == [
        (ONION.removeprefix("http://"), 80),
        (ONION.removeprefix("http://"), 80),
        (other.removeprefix("http://"), 80),
    ]
    assert users[0] == users[1] != users[2]
    assert not [host for host in looked_up if "onion" in str(host)]


@pytest.mark.trio
async def test_nothing_goes_past_a_proxy_that_is_down() -> None:
    """The mint itself could be reached: it sees nobody."""
    listener = (await trio.open_tcp_listeners(0, host="127.0.0.1"))[0]
    port = listener.socket.getsockname()[1]
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        mint = client(f"socks5h://127.0.0.1:{nobody.getsockname()[1]}", f"http://127.0.0.1:{port}")
        with pytest.raises(MintUnreachable):
            await mint.info()
        await mint.aclose()
    with trio.move_on_after(0.05) as scope:
        await listener.accept()
    assert scope.cancelled_caught
    await listener.aclose()


@pytest.mark.parametrize(
    ("via", "proxy", "words"),
    [
        ("circuit", PROXY, "exclude each other"),
        ("direct", PROXY, "exclude each other"),
        ("proxy", "", "needs the proxy"),
        ("tor", "", "one of"),
        ("", "socks5://127.0.0.1:9050", "socks5h"),
        ("", "socks4a://127.0.0.1:9050", "socks5h"),
        ("", "http://127.0.0.1:8080", "not a SOCKS proxy"),
        ("", "socks5h://127.0.0.1", "not a SOCKS proxy"),
        ("", "socks5h://127.0.0.1:99999", "not a SOCKS proxy"),
        ("", "socks5h://user@127.0.0.1:9050", "not a SOCKS proxy"),
        ("", "socks5h://127.0.0.1:9050/path", "not a SOCKS proxy"),
        ("", "127.0.0.1:9050", "not a SOCKS proxy"),
    ],
)
def test_combinations_that_are_refused(via: str, proxy: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        parse_way(via, proxy, [])


def test_a_password_is_in_no_error_and_no_repr() -> None:
    with pytest.raises(ConfigError) as caught:
        parse_proxy("socks5h://me:hunter2@:0/x")
    assert "hunter2" not in f"{caught.value} {caught.value.hint}"
    assert "hunter2" not in repr(parse_proxy("socks5h://me:hunter2@localhost:9050"))


def test_mints_that_a_way_does_not_lead_to() -> None:
    proxied = parse_way("", PROXY, [ONION, "https://mint.example"])
    for way in (MintWay("circuit"), MintWay("direct")):
        way.check("http://mint.example")
        with pytest.raises(MintUnreachable, match="onion"):
            way.check(ONION + ":3338/path")
    with pytest.raises(MintUnreachable, match="plain HTTP"):
        proxied.check("http://mint.example")


def test_the_settings() -> None:
    def parse(**wallet: object) -> MintWay:
        return parse_config(Path("/home"), {"wallet": wallet}, base=Path("/base")).mint_way

    assert parse() == MintWay("circuit")
    assert parse(proxy=PROXY, mints=[ONION]).via == "proxy"
    with pytest.raises(ConfigError, match="onion"):
        parse(mints=[ONION])
