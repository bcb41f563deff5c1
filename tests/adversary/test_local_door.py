"""The local API's door under attack: strangers, other users, web pages, and bytes of every sort.

Against a real gateway on a real loopback port. Pass everywhere: refused cleanly, nothing reaches a
ghost, and whoever has a key is answered all the while.
"""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

import httpx
import pytest
import trio
import trio.testing

from engine.gateway import doorway
from engine.gateway import server as server_module
from engine.gateway.door import MAX_REQUEST_BYTES
from tests.helpers.api_world import CHAT, ApiWorld, api_world, question
from tests.helpers.market_fakes import ScriptedBackend

pytestmark = pytest.mark.trio
NOBODY = 65534
AS_NOBODY = """
import os, socket, sys
os.setgroups([]); os.setgid(65534); os.setuid(65534)
kind, place = sys.argv[1], sys.argv[2]
try:
    if kind == "unix":
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(place)
    else:
        sock = socket.socket()
        sock.connect(("127.0.0.1", int(place)))
    sock.settimeout(60)
    sock.sendall(b"GET /v1/models HTTP/1.1\\r\\nHost: localhost\\r\\n\\r\\n")
    sys.stdout.write(sock.recv(12).decode("latin-1"))
except PermissionError:
    sys.stdout.write("not permitted")
except ConnectionError:
    sys.stdout.write("closed")
"""


@asynccontextmanager
async def door(folder: Path, **options: object) -> AsyncIterator[ApiWorld]:
    """A gateway; at the end nobody but the test's own question has reached its ghost."""
    async with api_world(folder, **options) as w:
        yield w
        before = [len(ghost.asked) for ghost in w.chats.ghosts]
        assert before == [0] * len(before)
        assert (await w.ask("Are you well?")).status_code == 200
        assert w.gateway.asker.under_way == w.gateway.asker.waiting == 0


async def talk(w: ApiWorld, raw: bytes, *, most: int = 65_536) -> bytes:
    """What comes back for these bytes until the other side closes, or answers in full."""
    async with await connect(w) as stream:
        with contextlib.suppress(trio.BrokenResourceError):
            await stream.send_all(raw)
        return await listen(stream, most)


async def connect(w: ApiWorld) -> trio.SocketStream:
    parts = urlsplit(w.url)
    return await trio.open_tcp_stream(str(parts.hostname), int(parts.port or 0))


async def listen(stream: trio.SocketStream, most: int = 65_536) -> bytes:
    got = b""
    with trio.fail_after(90), contextlib.suppress(trio.BrokenResourceError):
        while len(got) < most and (data := await stream.receive_some(4096)):
            got += data
    return got


def head(w: ApiWorld, *more: str, path: str = "/v1" + CHAT, method: str = "POST") -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", "Connection: close", *more]
    return ("\r\n".join([*lines, f"Authorization: Bearer {w.key}"]) + "\r\n\r\n").encode()


# -- keys ------------------------------------------------------------------------------------------


def near(key: str) -> Iterator[str]:
    """Keys that are almost this one."""
    yield from (key[:-1], key + "A", key[1:], key.upper(), key.lower(), key * 2)
    yield from (f"{key},{key}", key[:4] + "\u00e9" + key[5:], key.replace("p2p-", "p2p_"))
    last = "A" if key[-1] != "A" else "B"
    yield key[:-1] + last
    yield "B" + key[1:]


async def test_a_key_that_is_not_exactly_one_of_ours_opens_nothing(tmp_path: Path) -> None:
    """Adversary: has no key, a wrong one, one that differs by a letter, and one
    that was revoked. Pass: 401 for each, over both headers, and the answers do not differ."""
    async with door(tmp_path) as w, httpx.AsyncClient(base_url=w.url, timeout=60) as client:
        revoked = (await w.gateway.new_key({"name": "old"})).key
        await w.gateway.revoke_key({"name": "old"})
        answers = set()
        for key in (*near(w.key), revoked, "p2p-" + "A" * 43):
            for header in (
                {"Authorization": b"Bearer " + key.encode()},
                {"x-api-key": key.encode()},
            ):
                reply = await client.post(CHAT, json=question(), headers=header)
                assert reply.status_code == 401, key
                answers.add(reply.content)
        assert len(answers) == 1


async def test_a_key_in_the_wrong_place_opens_nothing(tmp_path: Path) -> None:
    """Adversary: puts a good key where logs would see it. Pass: it is not looked for there."""
    async with door(tmp_path) as w, httpx.AsyncClient(base_url=w.url, timeout=60) as client:
        for url in (f"/models?api_key={w.key}", f"/models?key={w.key}"):
            assert (await client.get(url)).status_code == 401
        cookies = {"Cookie": f"Authorization=Bearer {w.key}"}
        assert (await client.get("/models", headers=cookies)).status_code == 401
        both = {"Authorization": "Bearer wrong", "x-api-key": w.key}
        assert (await client.get("/models", headers=both)).status_code == 401


# -- other users of the machine --------------------------------------------------------------------


async def as_nobody(kind: str, place: str) -> str:
    ended = await trio.run_process(
        [sys.executable, "-c", AS_NOBODY, kind, place], capture_stdout=True, cwd="/"
    )
    return ended.stdout.decode()


def open_to_all() -> Path:
    """A folder that every user can reach, so that what keeps them out is ours."""
    for place in map(Path, ("/var/tmp", "/dev/shm", "/tmp")):
        if all(folder.stat().st_mode & stat.S_IXOTH for folder in (place, *place.parents)):
            return place
    pytest.skip("no folder here is open to other users")


@pytest.mark.skipif(os.getuid() != 0, reason="only root can start a process of another user")
async def test_another_users_process_gets_nothing(tmp_path: Path) -> None:
    """Adversary: a process of the user nobody. Pass: the Unix socket's folder keeps it out, so does
    the socket's own mode when the folder is opened up; and when the mode is too, the socket asks
    the kernel who it is. On the loopback port it has no key."""
    async with door(tmp_path) as w:
        assert (await as_nobody("tcp", str(urlsplit(w.url).port))) == "HTTP/1.1 401"
        with TemporaryDirectory(dir=open_to_all()) as outside:
            os.chmod(outside, 0o755)
            path = Path(outside) / "run" / "api"
            await w.gateway.stop({})
            await w.gateway.start({"listen": f"unix:{path}"})
            assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            assert await as_nobody("unix", str(path)) == "not permitted"
            os.chmod(path.parent, 0o755)
            assert await as_nobody("unix", str(path)) == "not permitted"
            os.chmod(path, 0o666)
            assert await as_nobody("unix", str(path)) in ("", "closed")
            await w.gateway.stop({})
        w.url = (await w.gateway.start({"listen": "127.0.0.1:0"})).url


# -- web pages -------------------------------------------------------------------------------------

PAGES: tuple[dict[str, str], ...] = (
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://127.0.0.1:8765"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "no-cors"},
)
REBOUND = (
    "evil.example",
    "evil.example:8765",
    "localhost.evil.example",
    "127.0.0.1.evil.example",
    "localhost@evil.example",
    "127.0.0.2",
    "2130706433",
    "0x7f.1",
    "127.1",
    "[::ffff:127.0.0.1]",
    "localhost:80:80",
    "localhost/evil",
    "evil.example#localhost",
    "loc\u0430lhost",
    "",
)


async def test_a_page_in_the_browser_can_neither_ask_nor_read(tmp_path: Path) -> None:
    """Adversary: a web page, also one that knows a key, asks with preflight, as a simple request (a
    form's text/plain, which asks for no preflight), or by a form. Pass: 403, before the key is
    looked at, and no header that lets the page read it."""
    async with door(tmp_path) as w, httpx.AsyncClient(base_url=w.url, timeout=60) as client:
        for page in PAGES:
            preflight = {
                "Access-Control-Request-Method": "POST",
                "Access-Control-Request-Headers": "authorization",
                "Access-Control-Request-Private-Network": "true",
            }
            for key in ({}, {"Authorization": f"Bearer {w.key}"}):
                sent = [
                    await client.options(CHAT, headers={**page, **preflight, **key}),
                    await client.get("/models", headers={**page, **key}),
                ]
                for kind in ("text/plain", "application/x-www-form-urlencoded", "application/json"):
                    said = {**page, **key, "Content-Type": kind}
                    sent.append(await client.post(CHAT, json=question(), headers=said))
                for reply in sent:
                    assert reply.status_code == 403
                    assert reply.json()["error"]["code"] == "web_page"
                    allowed = [name for name in reply.headers if name.startswith("access-control")]
                    assert not allowed


async def test_a_name_that_was_made_to_point_here_is_refused(tmp_path: Path) -> None:
    """Adversary: DNS rebinding: a page's own name leads to this machine, so the browser thinks it
    speaks to the page's own server. Pass: every Host is refused but this machine's own names."""
    async with door(tmp_path) as w:
        for host in REBOUND:
            raw = head(w, method="GET", path="/v1/models").replace(b"localhost", host.encode(), 1)
            reply = await talk(w, raw)
            assert reply[9:12] in (b"403", b"400"), (host, reply[:60])
        absolute = head(w, method="GET", path="http://evil.example/v1/models")
        assert (await talk(w, absolute))[9:12] == b"404"
        without = f"GET /v1/models HTTP/1.0\r\nAuthorization: Bearer {w.key}\r\n\r\n".encode()
        assert (await talk(w, without))[9:12] == b"403"


# -- bodies ----------------------------------------------------------------------------------------


async def test_lengths_that_lie(tmp_path: Path) -> None:
    """Adversary: names a length that is not that of the body, two lengths, or both sorts of framing
    (smuggling). Pass: an error or a closed connection; a second request hidden in the body is not
    answered as one."""
    async with door(tmp_path) as w:
        hidden = head(w, method="GET", path="/v1/models")
        for lines in (
            ("Content-Length: -1",),
            ("Content-Length: abc",),
            ("Content-Length: 1e3",),
            ("Content-Length: 99999999999999999999999999",),
            (f"Content-Length: {MAX_REQUEST_BYTES + 1}",),
            ("Content-Length: 3", "Content-Length: 4"),
            ("Content-Length: 3", "Transfer-Encoding: chunked"),
            ("Transfer-Encoding: gzip",),
            ("Transfer-Encoding: chunked, chunked",),
            ("Content-Length: 2",),
        ):
            reply = await talk(w, head(w, *lines) + b"{}" + hidden)
            assert reply == b"" or reply[9:10] == b"4" or reply[9:12] == b"501", (lines, reply[:60])
            assert reply.count(b"HTTP/1.1 ") <= 1, lines
            assert b'"tiny"' not in reply, lines


async def test_a_body_without_end_is_cut_off(tmp_path: Path) -> None:
    """Adversary: sends chunks for ever. Pass: 413 when it is longer than any question, and what was
    sent is not kept."""
    async with door(tmp_path) as w, await connect(w) as stream:
        await stream.send_all(head(w, "Transfer-Encoding: chunked"))
        sent, chunk = 0, b"10000\r\n" + b"x" * 65_536 + b"\r\n"
        with trio.fail_after(90), contextlib.suppress(trio.BrokenResourceError):
            while sent < 50 * MAX_REQUEST_BYTES:
                await stream.send_all(chunk)
                sent += len(chunk)
        assert sent < 50 * MAX_REQUEST_BYTES
        got = await listen(stream)
        assert got == b"" or got.startswith(b"HTTP/1.1 413")


BODIES: tuple[bytes, ...] = (
    b"",
    b"null",
    b'"text"',
    b"{",
    b'{"model": "tiny", "messages": [{"role": "user", "content": "\xff\xfe"}]}',
    b'{"model": "tiny", "messages": [{"role": "user", "content": "\\ud800"}]}',
    b'\xef\xbb\xbf{"model": "tiny"}',
    "{}".encode("utf-16"),
    b'{"model": "tiny", "temperature": 1e999, "messages": [{"role": "user", "content": "x"}]}',
    b'{"model": "tiny", "seed": ' + b"9" * 5000 + b"}",
    b'{"model": "tiny", "max_tokens": ' + b"9" * 400 + b', "messages": [{}]}',
    b"[" * 200_000,
    b'{"a":' * 200_000,
    b'{"model": "tiny", "messages": ' + b"[" * 400 + b"]" * 400 + b"}",
    b'{"model": "tiny", "messages": [' + b"{}," * 100_000 + b"{}]}",
    b'{"model": "tiny", "messages": [{"role": "user", "content": [{"type": "image_url",'
    b' "image_url": {"url": "data:image/png;base64,%%%"}}]}]}',
    b'{"model": "tiny", "messages": [{"role": "user", "content": [{"type": "image_url",'
    b' "image_url": {"url": "data:image/png;base64,AAAA"}}]}]}',
    b'{"model": "tiny", "messages": [{"role": "user", "content": [{"type": "image_url",'
    b' "image_url": {"url": "http://127.0.0.1/steal.png"}}]}]}',
    b'{"model": "tiny", "messages": [{"role": "user", "content": [{"type": "image_url",'
    b' "image_url": {"url": "file:///etc/passwd"}}]}]}',
    b'{"model": "tiny", "tools": [{"x": 1e999}], "messages": [{"role": "user", "content": "x"}]}',
)
PATHS = ("/chat/completions", "/responses", "/messages", "/embeddings")


async def test_bodies_that_are_no_question(tmp_path: Path) -> None:
    """Adversary: JSON that is broken, deep, huge, not UTF-8, with numbers that are none; pictures
    that are not there, not pictures, or files of this machine. Pass: 400 with an error object."""
    async with door(tmp_path) as w, w.client() as client:
        for body in BODIES:
            for path in PATHS:
                reply = await client.post(path, content=body)
                assert reply.status_code == 400, (path, body[:80], reply.text)
                assert reply.json()["error"]["message"]


# -- HTTP ------------------------------------------------------------------------------------------


async def test_bytes_that_are_not_http(tmp_path: Path) -> None:
    """Adversary: malformed requests, foreign protocols, endless lines and headers. Pass: a clean
    error or a closed connection."""
    async with door(tmp_path) as w:
        ok = head(w, method="GET", path="/v1/models")
        for raw in (
            b"\r\n\r\n",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + os.urandom(200),
            os.urandom(500).replace(b"\n", b"") + b"\r\n\r\n",
            b"GET\r\n\r\n",
            b"GET /v1/models HTTP/9.9\r\n\r\n",
            b"GET  /v1/models  HTTP/1.1\r\n\r\n",
            b"GET /v1/models HTTP/1.1\r\nHost : localhost\r\n\r\n",
            b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\n Folded: x\r\n\r\n",
            b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\nX: \x00\r\n\r\n",
            ok.replace(b"\r\n\r\n", b"\r\nX: " + b"x" * 200_000 + b"\r\n\r\n"),
            ok.replace(b"\r\n\r\n", b"\r\nX: y" * 20_000 + b"\r\n\r\n"),
            b"GET /" + b"x" * 200_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
            b"CONNECT provider.example:443 HTTP/1.1\r\nHost: provider.example:443\r\n\r\n",
            b"TRACE /v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n",
        ):
            reply = await talk(w, raw + b"\r\n")
            assert reply == b"" or reply[9:10] in (b"4", b"5"), (raw[:60], reply[:60])
            assert reply[9:12] != b"500", raw[:60]
            assert b'"tiny"' not in reply


async def test_paths_that_lead_nowhere_else(tmp_path: Path) -> None:
    """Adversary: asks for files, other hosts, doubled and encoded paths. Pass: 404, also with a
    key; and another method is 405, with the ones that are taken."""
    async with door(tmp_path) as w:
        for path in (
            "/",
            "/v1",
            "/v1/../etc/passwd",
            "/v1/models/../../etc/passwd",
            "/v1/models/%2e%2e%2fkeys",
            "/v1//models",
            "//v1/models",
            "/v1/chat/completions/",
            "/v1/chat%2fcompletions/x",
            "/v1/models/\u00e9".encode().decode("latin-1"),
            "/v1/models/%00",
            "/v1/models/%ff",
            "/metrics",
            "/docs",
            "*",
        ):
            reply = await talk(w, head(w, method="GET", path=path))
            assert reply[9:12] in (b"404", b"400", b"405"), (path, reply[:60])
        wrong = await talk(w, head(w, method="DELETE", path="/v1/models/tiny"))
        assert wrong[9:12] == b"405"
        assert b"GET" in wrong[wrong.index(b"allow: ") :].split(b"\r\n")[0]
        assert (await talk(w, head(w, method="HEAD", path="/v1/models")))[9:12] == b"200"


async def test_http2_finds_the_same_door(tmp_path: Path) -> None:
    """Adversary: speaks HTTP/2 in the clear, or asks to be upgraded to it or to a websocket. Pass:
    the same checks; there is no way round them."""
    async with door(tmp_path) as w:
        async with httpx.AsyncClient(http1=False, http2=True, timeout=60) as client:
            keyed = {"Authorization": f"Bearer {w.key}"}
            assert (await client.get(w.url + "/models")).status_code == 401
            foreign = {**keyed, "Host": "evil.example"}
            assert (await client.get(w.url + "/models", headers=foreign)).status_code == 403
            paged = {**keyed, "Origin": "https://evil.example"}
            assert (await client.get(w.url + "/models", headers=paged)).status_code == 403
            assert (await client.get(w.url + "/models", headers=keyed)).status_code == 200
        upgrade = (
            b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, HTTP2-Settings\r\n"
            b"Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n"
        )
        async with await connect(w) as stream:
            await stream.send_all(upgrade)
            assert b'"tiny"' not in await stream.receive_some(65_536)
        socket = (
            b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n"
            b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
        assert (await talk(w, socket))[9:10] == b"4"


# -- slowness --------------------------------------------------------------------------------------


async def hold(w: ApiWorld, closed: list[int]) -> None:
    """A connection that says nothing, until it is closed."""
    async with await connect(w) as stream:
        with contextlib.suppress(trio.BrokenResourceError):
            assert await stream.receive_some(1) == b""
        closed.append(1)


async def ask_again(w: ApiWorld, stream: trio.SocketStream) -> bytes:
    """A request on a connection that stays open; the status of its answer."""
    raw = head(w, method="GET", path="/v1/models").replace(b"Connection: close\r\n", b"")
    await stream.send_all(raw)
    got = b""
    with trio.fail_after(90):
        while b'"has_more"' not in got:
            data = await stream.receive_some(65_536)
            assert data, "the connection was closed"
            got += data
    return got[9:12]


async def test_beyond_their_number_connections_are_closed_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Adversary: another user opens more connections than there may be, and says nothing. Pass:
    there are never more than the number, and a program that has a key gets in all the while: the
    stranger who came first makes room for it."""
    monkeypatch.setattr(server_module, "KEEP_ALIVE_S", 3600.0)
    monkeypatch.setattr(server_module, "MAX_CONNECTIONS", 8)
    async with door(tmp_path) as w, trio.open_nursery() as nursery:
        closed: list[int] = []
        for _ in range(30):
            nursery.start_soon(hold, w, closed)
        await until(lambda: len(closed) >= 22)
        await trio.testing.wait_all_tasks_blocked(0.05)
        assert len(closed) == 22
        async with w.client() as client:
            assert (await client.get("/models")).status_code == 200
        await until(lambda: len(closed) == 23)
        nursery.cancel_scope.cancel()


async def test_strangers_do_not_push_out_who_has_a_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Adversary: another user goes on opening connections, some with a wrong key. Pass: connections
    that have brought a valid key are served on; only when all places are theirs is one more closed,
    and there is room again when one of them leaves."""
    monkeypatch.setattr(server_module, "KEEP_ALIVE_S", 3600.0)
    monkeypatch.setattr(server_module, "MAX_CONNECTIONS", 4)
    async with door(tmp_path) as w, trio.open_nursery() as nursery:
        async with contextlib.AsyncExitStack() as leaving:
            known = [await leaving.enter_async_context(await connect(w)) for _ in range(3)]
            for stream in known:
                assert await ask_again(w, stream) == b"200"
            closed: list[int] = []
            for _ in range(20):
                nursery.start_soon(hold, w, closed)
            await until(lambda: len(closed) >= 19)
            wrong = head(w, method="GET", path="/v1/models").replace(w.key.encode(), b"p2p-wrong")
            assert (await talk(w, wrong))[9:12] == b"401"
            for stream in known:
                assert await ask_again(w, stream) == b"200"
            last = await leaving.enter_async_context(await connect(w))
            assert await ask_again(w, last) == b"200"
            assert await talk(w, head(w, method="GET", path="/v1/models")) == b""
        async with w.client() as client:
            await until_served(client)
        nursery.cancel_scope.cancel()


async def test_a_head_that_drips_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Adversary: sends its request's head a byte at a time, for ever. Pass: closed when the time
    for a whole head is over, whatever comes."""
    monkeypatch.setattr(server_module, "KEEP_ALIVE_S", 1.0)
    async with door(tmp_path) as w, await connect(w) as stream:
        with trio.fail_after(90), contextlib.suppress(trio.BrokenResourceError):
            await stream.send_all(b"GET /v1/models HTTP/1.1\r\nX: ")
            while True:
                await stream.send_all(b"x")
                await trio.sleep(0.05)
        with contextlib.suppress(trio.BrokenResourceError):
            assert not (await listen(stream)).startswith(b"HTTP/1.1 2")


async def until(true: Callable[[], bool]) -> None:
    with trio.fail_after(90):
        while not true():
            await trio.sleep(0.02)


async def until_served(client: httpx.AsyncClient) -> None:
    """A program with a key gets in as soon as the server has noticed who went away."""
    with trio.fail_after(90):
        while True:
            with contextlib.suppress(httpx.TransportError):
                assert (await client.get("/models")).status_code == 200
                return
            await trio.sleep(0.02)


async def test_who_does_not_read_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Adversary: a program with a key asks for long answers and reads none of them. Pass: its
    connection is closed and its answer stopped; and with its time not yet over, the API can still
    be switched off."""
    words = ["word " * 20_000] * 200
    monkeypatch.setattr(doorway, "READER_S", 1.0)
    backend = ScriptedBackend(words, usage=(20, 400))
    async with api_world(tmp_path, backend=backend) as w:
        body = question(stream=True)
        async with httpx.AsyncClient() as unused:
            request = unused.build_request("POST", w.url + CHAT, json=body)
        raw = head(w, f"Content-Length: {len(request.content)}") + request.content
        async with await connect(w) as stream:
            await stream.send_all(raw)
            await until(lambda: bool(backend.requests))
            await until(lambda: not w.gateway.asker.under_way)
        monkeypatch.setattr(doorway, "READER_S", 1e6)
        await trio.testing.wait_all_tasks_blocked(0.05)
        before = trio.lowlevel.current_statistics().tasks_living
        async with await connect(w) as stream:
            await stream.send_all(raw)
            await until(lambda: len(backend.requests) == 2)
            await trio.testing.wait_all_tasks_blocked(0.3)  # the server waits for its reader
            assert trio.lowlevel.current_statistics().tasks_living > before
            await w.gateway.stop({})
            await until(lambda: trio.lowlevel.current_statistics().tasks_living < before)
