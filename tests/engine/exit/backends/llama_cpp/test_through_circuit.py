"""A GPU node asked over real relays and paid: chat, circuit, ghost, meter, model, and back."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from engine.exit.backends.llama_cpp.settings import LlamaSettings
from tests.helpers.kill_world import ASK, KillWorld, kill_world
from tests.helpers.small_model import needs_model, served
from wallet.store import ChatMessage

pytestmark = [pytest.mark.trio, needs_model]


async def finished(world: KillWorld, chat: str, count: int) -> ChatMessage:
    """The `count`th answer of a chat, once it is over."""
    while True:
        messages = await world.answers(chat)
        if len(messages) >= count and messages[-1].meta["state"] != "streaming":
            return messages[-1]
        await trio.sleep(0.05)


async def test_a_chat_with_a_gpu_node(tmp_path: Path) -> None:
    settings = LlamaSettings(context=512, parallel=2)
    async with served(settings) as backend, kill_world(tmp_path, backend) as world:
        with trio.fail_after(60):
            client = await world.new_client()
            asked = {**ASK, "max_tokens": 24, "temperature": 0.0}
            started = await client.chats.ask(asked)
            first = await finished(world, started.session_id, 1)
            more = {**asked, "text": "And garlic?", "session_id": started.session_id}
            await client.chats.ask(more)
            second = await finished(world, started.session_id, 2)
        assert [m.meta["state"] for m in (first, second)] == ["done", "done"]
        assert first.text.strip()
        bills = world.ghost.books.earnings.rows
        assert [bill[4] for bill in bills] == [m.meta["cost_msat"] for m in (first, second)]
        assert all(message.meta["cost_msat"] > 0 for message in (first, second))
        stats = backend.stats
        assert stats.tokens_cached > 20  # the second question went on where the first had ended
        assert sum(bill[2] for bill in bills) == stats.tokens_in
        assert sum(bill[3] for bill in bills) == stats.tokens_out
