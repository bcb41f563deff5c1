"""Serving the screen to browsers on this machine, one `peer2prompt attach` per visitor.

textual-serve brings the page's terminal and runs the visitors' screens. Its own page would load a
font from a stranger's server and its access log would hold the token: we have a page of our own and
no log.
"""

from __future__ import annotations

import asyncio
import logging
import os
import shlex
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp_jinja2
from aiohttp import web
from textual_serve.server import Server

from tui.web.guard import guard, seal

LOOPBACK = "127.0.0.1"
FONT_PX = 16
ROOT_WORDS = ("-P", "-m", "tui.cli.main")  # after the interpreter: this program
LEAVING_S = 3.0  # how long visitors have to take leave when the server ends
# What is true of this terminal and not of the browser's.
OF_THIS_TERMINAL = ("TMUX", "STY", "SSH_CONNECTION", "SSH_TTY", "SSH_CLIENT", "NO_COLOR")


class ScreenServer(Server):
    """textual-serve's server with our page, under a token."""

    def __init__(self, command: str, port: int, token: str) -> None:
        url = f"http://{LOOPBACK}:{port}"
        super().__init__(
            command,
            host=LOOPBACK,
            port=port,
            title="Peer2Prompt",
            public_url=url,
            templates_path=Path(__file__).parent,
        )
        self.token = token

    async def guarded(self) -> web.Application:
        """Everything below the token; nothing beside it."""
        outer = web.Application(middlewares=[guard(self.token, self.port)])
        headers = seal(self.port)

        async def sealed(_request: web.Request, response: web.StreamResponse) -> None:
            response.headers.update(headers)

        outer.on_response_prepare.append(sealed)
        outer.add_subapp(f"/{self.token}", await self._make_app())
        return outer

    @aiohttp_jinja2.template("page.html")
    async def handle_index(self, request: web.Request) -> dict[str, Any]:
        """What the page needs to know; the guard has looked at the name we are called by."""
        return {
            "font_size": FONT_PX,
            "app_websocket_url": f"ws://{request.host}/{self.token}/ws",
            "config": {"static": {"url": f"/{self.token}/static/"}},
            "application": {"name": self.title},
        }

    async def on_startup(self, app: web.Application) -> None:
        """Says nothing: the command prints the address itself."""


def screen_command(home: Path, theme: str | None) -> str:
    """The shell's words for a visitor's screen."""
    words = [sys.executable, *ROOT_WORDS, "--home", str(home), "attach"]
    return shlex.join([*words, "--theme", theme] if theme else words)


def listen(port: int) -> socket.socket:
    """A socket on the loopback interface; port 0 takes a free one. Raises OSError."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((LOOPBACK, port))
    except OSError:
        listener.close()
        raise
    return listener


async def serve(
    command: str, listener: socket.socket, token: str, ready: Callable[[str], None]
) -> None:
    """Serve until SIGINT, SIGTERM or SIGHUP; `ready` is told the address with the token."""
    for name in OF_THIS_TERMINAL:
        os.environ.pop(name, None)
    logging.getLogger("textual-serve").disabled = True  # its tracebacks may hold what was typed
    port = listener.getsockname()[1]
    server = ScreenServer(command, port, token)
    runner = web.AppRunner(
        await server.guarded(), access_log=None, handle_signals=False, shutdown_timeout=LEAVING_S
    )
    await runner.setup()
    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    try:
        await web.SockSite(runner, listener).start()
        ready(f"http://{LOOPBACK}:{port}/{token}/")
        await stopping.wait()
    finally:
        await runner.cleanup()
