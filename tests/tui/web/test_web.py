"""The screen in a browser: who is let in, what the page may load, and that it is the screen."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from engine.control.paths import control_socket
from tests.helpers.control import short_home
from tests.helpers.patience import PATIENCE_S
from tests.helpers.processes import processes_of
from tests.helpers.scripted_node import ScriptedNode
from tui.cli import cmd_web
from tui.cli.main import main
from tui.web.guard import seal
from tui.web.serving import ROOT_WORDS, listen


@pytest.fixture
def home() -> Iterator[Path]:
    with short_home() as folder:
        yield folder


@pytest.fixture
def node(home: Path) -> Iterator[ScriptedNode]:
    path = control_socket(home)
    path.parent.mkdir(parents=True, exist_ok=True)
    with ScriptedNode(path) as running:
        yield running


@dataclass
class Served:
    """A running `peer2prompt web`."""

    address: str
    process: asyncio.subprocess.Process

    @property
    def root(self) -> str:
        return "/".join(self.address.split("/")[:3])

    @property
    def port(self) -> int:
        return int(self.root.rpartition(":")[2])


@asynccontextmanager
async def serving(home: Path) -> AsyncIterator[Served]:
    words = [sys.executable, *ROOT_WORDS, "--home", str(home), "web"]
    process = await asyncio.create_subprocess_exec(
        *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        line = await asyncio.wait_for(process.stdout.readline(), PATIENCE_S)
        yield Served(line.decode().strip(), process)
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGINT)
            await asyncio.wait_for(process.communicate(), PATIENCE_S)


async def status_of(url: str, **headers: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as client, client.get(url, headers=headers) as answer:
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
        return answer.status, await answer.text()


@pytest.mark.asyncio
async def test_only_the_whole_address_opens_it(home: Path, node: ScriptedNode) -> None:
    del node
    async with serving(home) as served:
        assert served.root.startswith("http://127.0.0.1:")
        token = served.address.split("/")[3]
        assert len(token) >= 43
        wrong = secrets.token_urlsafe(32)
        for path in ("", "/", "/ws", "/static/js/textual.js", f"/{wrong}/", f"/{token[:-1]}/"):
            status, text = await status_of(served.root + path)
            assert status == 403, path
            assert token not in text
            assert "xterm" not in text
        for path in (f"/?token={token}", f"/{token}x/", f"/{wrong}/../{token}x/ws"):
            assert (await status_of(served.root + path))[0] == 403
        status, page = await status_of(served.address)
        assert status == 200
        assert f"ws://127.0.0.1:{served.port}/{token}/ws" in page
        assert (await status_of(f"{served.address}static/js/textual.js"))[0] == 200


@pytest.mark.asyncio
async def test_other_names_and_other_pages_stay_out(home: Path, node: ScriptedNode) -> None:
    del node
    async with serving(home) as served:
        rebound = f"evil.example:{served.port}"
        assert (await status_of(served.address, Host=rebound))[0] == 403
        assert (await status_of(served.address, Host="127.0.0.1"))[0] == 403
        assert (await status_of(served.address, Origin="http://evil.example"))[0] == 403
        assert (await status_of(served.address, Origin="null"))[0] == 403
        ours = f"http://localhost:{served.port}"
        there = {"Host": f"localhost:{served.port}", "Origin": ours}
        assert (await status_of(served.address, **there))[0] == 200
        async with aiohttp.ClientSession() as client:
            for origin in ("http://evil.example", f"http://{rebound}"):
                with pytest.raises(aiohttp.WSServerHandshakeError, match="403"):
                    await client.ws_connect(f"{served.address}ws", headers={"Origin": origin})


@pytest.mark.asyncio
async def test_a_visitor_gets_the_screen_and_takes_nothing_along(
    home: Path, node: ScriptedNode
) -> None:
    async with serving(home) as served:
        async with aiohttp.ClientSession() as client:
            url = f"{served.address}ws?width=120&height=40"
            async with client.ws_connect(url, headers={"Origin": served.root}) as link:
                await link.send_str(json.dumps(["resize", {"width": 120, "height": 40}]))
                await _until(link, "at most")
                await link.send_str(json.dumps(["stdin", "hello from a browser\r"]))
                await _until(link, "Each relay takes")
        assert node.called("ask")[0]["text"] == "hello from a browser"
        await _until_alone(home, served.process.pid)
        served.process.send_signal(signal.SIGTERM)
        _, said = await asyncio.wait_for(served.process.communicate(), PATIENCE_S)
        assert served.process.returncode == 0
        assert "hello" not in said.decode()


@pytest.mark.asyncio
async def test_a_killed_server_leaves_no_screens(home: Path, node: ScriptedNode) -> None:
    del node
    async with serving(home) as served, aiohttp.ClientSession() as client:
        link = await client.ws_connect(f"{served.address}ws?width=80&height=24")
        await _until(link, "at most")
        os.kill(served.process.pid, signal.SIGKILL)
        await served.process.wait()
        await _until_alone(home, served.process.pid)


def test_without_a_node_or_the_extra_it_says_what_to_do(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--home", str(home), "web"]) == 8
    assert "peer2prompt node" in capsys.readouterr().err
    real = cmd_web.importlib.util.find_spec
    lacking = lambda name: None if name == "textual_serve" else real(name)  # noqa: E731
    monkeypatch.setattr(cmd_web.importlib.util, "find_spec", lacking)
    assert main(["--home", str(home), "web"]) == 2
    assert "pip install 'peer2prompt[web]'" in capsys.readouterr().err


def test_a_taken_port_is_named(
    home: Path, node: ScriptedNode, capsys: pytest.CaptureFixture[str]
) -> None:
    del node
    with listen(0) as taken:
        taken.listen()
        port = taken.getsockname()[1]
        assert main(["--home", str(home), "web", "--port", str(port)]) == 9
    assert str(port) in capsys.readouterr().err


def test_the_page_may_load_nothing_from_elsewhere() -> None:
    import tui.web

    page = (Path(tui.web.__file__).parent / "page.html").read_text("utf-8")
    assert "http://" not in page
    assert "https://" not in page
    assert "http://" not in seal(8000)["Content-Security-Policy"]


async def _until(link: aiohttp.ClientWebSocketResponse, words: str) -> None:
    """Until these words were painted in the browser's terminal."""
    seen = b""
    async with asyncio.timeout(PATIENCE_S):
        while words.encode() not in seen:
            message = await link.receive()
            assert message.type in (aiohttp.WSMsgType.BINARY, aiohttp.WSMsgType.TEXT), message
            if message.type == aiohttp.WSMsgType.BINARY:
                seen += message.data


async def _until_alone(home: Path, server: int) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while set(processes_of(home)) - {server}:
            await asyncio.sleep(0.05)
