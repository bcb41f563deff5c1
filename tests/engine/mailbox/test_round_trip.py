"""An answer through slots and a box over real links: prepared, sent, fetched, discarded."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import trio

from engine.mailbox.pickup import Pickup
from tests.helpers.mailbox import mailbox_network

pytestmark = pytest.mark.trio


@pytest.mark.parametrize(("relays", "return_relays"), [(2, 1), (4, 3)])
async def test_an_answer_comes_back(tmp_path: Path, relays: int, return_relays: int) -> None:
    async with mailbox_network(tmp_path, relays, return_relays=return_relays) as world:
        with trio.fail_after(60):
            pickup = await world.client.prepare(10)
            answer = os.urandom(9_000)
            assert await world.sender.send([pickup.block], answer) == 1
            fetched = await world.client.fetch(Pickup.load(pickup.dump()))
            assert fetched.complete
            assert fetched.data == answer
            await world.client.discard(pickup)
        for relay in world.relays:
            assert len(relay.service.slots) == len(relay.service.boxes) == 0
            assert not relay.node.faults
