"""The local API over a real onion network on loopback: HTTP in front, TCP links behind. When no
relay answers a program is told so, and nobody is connected to in the relays' place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import trio

from engine.circuit.shaping import ShapePlan
from engine.directory.relays import RelaySet
from engine.gateway.service import Gateway
from engine.gateway.settings import ApiSettings, Listen
from engine.session.route import Route
from engine.wire.frames import Purpose
from tests.helpers.api_world import ApiWorld
from tests.helpers.chat_world import WORDS, ChatWorld, GhostHere, chat_world
from tests.helpers.client_pool import Bench, bench
from tests.helpers.network import LocalNode

pytestmark = pytest.mark.trio
RELAYS = 4


class Mortal(LocalNode):
    """A node that can be killed."""

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        self.life = trio.CancelScope()
        with self.life:
            await super().run(task_status=task_status)


async def ghost_at(w: ChatWorld, node: LocalNode) -> GhostHere:
    """A ghost that serves sessions at a node of the network."""
    ghost = GhostHere(w.mint, w.nursery)
    ghost.identity = node.identity
    ghost.service = ghost._new_service()
    await w.nursery.start(ghost.service.run)

    async def serve(stream: Any, _request: bytes) -> None:
        stream.accept()
        await ghost.service.serve_session(stream)

    node.core.handlers[Purpose.SESSION] = serve  # type: ignore[index]
    w.ghosts.append(ghost)
    return ghost


def over(b: Bench, known: RelaySet) -> Any:
    """What makes a session's route, as a node does it."""

    def route(_world: ChatWorld, ghost: bytes, plan: ShapePlan) -> Route:
        return Route(b.pool, known, ghost, plan)

    return route


async def test_without_relays_a_program_is_told_and_nobody_else_is_connected_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with bench(tmp_path, RELAYS, kinds=dict.fromkeys(range(RELAYS), Mortal)) as b:
        *relays, there = b.network.nodes
        known = RelaySet(tmp_path / "directory.txt", test_network=True)
        monkeypatch.setattr(ChatWorld, "_route", over(b, known))
        async with chat_world(tmp_path) as chats, trio.open_nursery() as nursery:
            ghost = await ghost_at(chats, there)
            gateway = Gateway(chats.chats, chats.store, tmp_path, ApiSettings(Listen("127.0.0.1")))
            await nursery.start(gateway.run)
            key = (await gateway.new_key({"name": "editor"})).key
            w = ApiWorld(chats, gateway, (await gateway.status({})).url, key)
            reply = await w.ask()
            assert reply.status_code == 200, reply.text
            assert reply.json()["choices"][0]["message"]["content"] == "".join(WORDS)
            with trio.fail_after(90):
                while not await gateway.apart.release(""):
                    await trio.sleep(0.02)
            before = chats.wallet.balance_sat
            for relay in relays:
                relay.life.cancel()
            with trio.fail_after(90):
                while there.links.links or b.network.client_links.links:
                    await trio.sleep(0.02)
            met = there.links.counts()
            for _ in range(2):
                reply = await w.ask("And now?")
                assert reply.status_code == 503, reply.text
                assert reply.json()["error"]["code"] == "no_route"
                assert "No guard answers" in reply.json()["error"]["message"]
                assert reply.json()["peer2prompt"]["kept"]
            assert len(ghost.asked) == 1
            assert there.links.counts() == met, "the ghost was not connected to either"
            assert chats.wallet.balance_sat == before
            nursery.cancel_scope.cancel()
