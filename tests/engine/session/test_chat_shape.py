"""A chat keeps its traffic shape, and another shape means another circuit. Over a whole network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import trio

from engine.circuit.client import ClientCircuit
from engine.errors import Peer2PromptError
from engine.wire.shape import ShapeClass
from tests.helpers.kill_world import (
    ASK,
    Client,
    KillWorld,
    kill_world,
)
from tests.helpers.virtual_time import threads_inline, virtual_clock


async def ask(world: KillWorld, client: Client, **changes: Any) -> str:
    """Ask and wait for the end of the answer; the chat's id."""
    before = world.ghost.backend.closed
    started = await client.chats.ask({**ASK, **changes})
    with trio.fail_after(300):
        while world.ghost.backend.closed == before or client.chats.desk.open_sessions[-1].asking:
            await trio.sleep(0.5)
        await trio.sleep(2)
    return started.session_id


def chat_circuits(client: Client) -> dict[int, ClientCircuit]:
    return {n: one for n, one in client.pool.circuits.items() if one.purpose == "chat"}


def test_a_chat_keeps_its_shape_until_another_is_chosen(tmp_path: Path) -> None:
    async def main() -> None:
        async with kill_world(tmp_path) as world:
            client = await world.new_client()
            chat = await ask(world, client, shape="text")
            stored = await world.store.sessions.get(chat)
            assert stored is not None
            assert stored.shape == "text"
            shaped = {n for n, one in chat_circuits(client).items() if one.endpoint.agreed}
            assert len(shaped) == 1

            await ask(world, client, session_id=chat)
            again = chat_circuits(client)
            assert {n for n, one in again.items() if one.endpoint.agreed} == shaped

            await ask(world, client, session_id=chat, shape="bulk")
            stored = await world.store.sessions.get(chat)
            assert stored is not None
            assert stored.shape == "bulk"
            in_use = client.chats.desk._pinned[chat].route.circuit
            assert in_use is not None
            assert in_use.plan.shape_class is ShapeClass.BULK

            with pytest.raises(Peer2PromptError, match="no traffic shape"):
                await client.chats.ask({**ASK, "shape": "round"})
            assert len(await world.store.sessions.list()) == 1
            client.kill()

    with threads_inline():
        trio.run(main, clock=virtual_clock())
