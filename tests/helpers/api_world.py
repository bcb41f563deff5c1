"""The local API over real chats with in-memory ghosts, served on a real loopback port."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx
import trio

from engine.control.protocol.api import ApiStatus
from engine.gateway.service import Gateway
from engine.gateway.settings import ApiSettings, Listen
from tests.helpers.chat_world import ChatWorld, chat_world
from tests.helpers.patience import PATIENCE_S

T = TypeVar("T")
CHAT = "/chat/completions"


@dataclass
class ApiWorld:
    """What a test looks at."""

    chats: ChatWorld
    gateway: Gateway
    url: str
    key: str

    def client(self, **headers: str) -> httpx.AsyncClient:
        """An HTTP client with the key."""
        return httpx.AsyncClient(
            base_url=self.url,
            headers={"Authorization": f"Bearer {self.key}", **headers},
            timeout=PATIENCE_S,
        )

    async def ask(self, *said: str, headers: dict[str, str] | None = None, **more: Any) -> Any:
        """The reply to a question in good form."""
        async with self.client(**(headers or {})) as client:
            return await client.post(CHAT, json=question(*said, **more))


def question(*said: str, **more: Any) -> dict[str, Any]:
    """A body in good form: the user speaks first."""
    roles = ("user", "assistant")
    messages = [
        {"role": roles[n % 2], "content": text} for n, text in enumerate(said or ("Hello?",))
    ]
    return {"model": "tiny", "messages": messages, **more}


@asynccontextmanager
async def api_world(folder: Path, *, ghosts: int = 1, **options: Any) -> AsyncIterator[ApiWorld]:
    """The API is on, with one key."""
    async with chat_world(folder) as chats, trio.open_nursery() as nursery:
        for _ in range(ghosts):
            await chats.add_ghost(**options)
        gateway = Gateway(chats.chats, chats.store, folder, ApiSettings(Listen("127.0.0.1", 0)))
        await nursery.start(gateway.run)
        found: ApiStatus = await gateway.status({})
        made = await gateway.new_key({"name": "editor"})
        yield ApiWorld(chats, gateway, found.url, made.key)
        nursery.cancel_scope.cancel()


async def in_thread(work: Callable[[], T]) -> T:
    """For clients that block."""
    return await trio.to_thread.run_sync(work, abandon_on_cancel=True)


async def raw_question(w: ApiWorld, header: str, body: bytes = b"") -> trio.SocketStream:
    """A connection on which a question was begun, to be broken off in any way."""
    parts = urlsplit(w.url)
    stream = await trio.open_tcp_stream(str(parts.hostname), int(parts.port or 0))
    head = f"POST {parts.path}{CHAT} HTTP/1.1\r\nHost: localhost\r\n{header}\r\n"
    await stream.send_all(f"{head}Authorization: Bearer {w.key}\r\n\r\n".encode() + body)
    return stream


async def a_while(index: int) -> None:
    """A backend's gate: the first words are out before more comes."""
    await trio.sleep(0.3 if index else 0)
