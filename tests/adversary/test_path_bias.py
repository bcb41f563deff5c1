"""Path bias: a guard, or somebody behind it, fails circuits to bend the client's choices.

Simulated over the real guard list and path rules, 1,000 circuits a client, seeded; and once with a
malicious relay on real links.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path as Folder
from random import Random

import pytest
import trio

from engine.circuit.shaping import BULK_PLAN
from engine.directory.bias import DROP_BELOW, MIN_CIRCUITS
from engine.directory.guards import MAX_DROPPED, GuardList
from engine.errors import CircuitClosed
from engine.wire.cells import BODY_BYTES, Command
from tests.helpers.adversaries import MaliciousRelay, SeenCell, relay_at
from tests.helpers.client_pool import bench
from tests.helpers.path_world import Path, PathClient, World
from tests.helpers.unsigned import NOW

CIRCUITS = 1_000
SHARE = 0.05


@dataclass
class SelectiveGuard:
    """Fails circuits that do not end at a ghost of its own, all of them or a fraction."""

    world: World
    rng: Random
    fails: float = 1.0

    def fate(self, path: Path) -> bool:
        if not self.world.is_bad(path.guard) or self.world.is_bad(path.ghost):
            return True
        return self.rng.random() >= self.fails


@dataclass
class HostileMiddles:
    """Relays and ghosts that fail, in silence, every circuit whose guard is not their own."""

    world: World

    def fate(self, path: Path) -> bool:
        if self.world.is_bad(path.guard):
            return True
        return not any(self.world.is_bad(node) for node in (*path.middles, path.ghost))


def client_of(world: World, seed: int, *, bad_guard: bool) -> PathClient:
    """A client whose first guard works for the adversary, or does not."""
    rng = Random(seed)
    pick = next(r for r in rng.sample(world.relays, len(world.relays))
                if world.is_bad(r) == bad_guard)  # fmt: skip
    saved = {"node_id": pick.node_id.hex(), "added": float(NOW), "circuits": 1}
    return PathClient(world, rng, GuardList([saved]))


@pytest.mark.parametrize("seed", range(10))
def test_a_guard_that_fails_what_it_cannot_read_is_dropped(seed: int) -> None:
    """Pass: the guard is out within 30 circuits, and of 1,000 circuits at most 5 were read by it
    and a ghost of its own; a guard that nobody drops reads every circuit that gets through."""
    world = World.with_share(SHARE, Random(seed))
    adversary = SelectiveGuard(world, Random(seed))
    client = client_of(world, seed, bad_guard=True)
    first = client.guards.sample[0]
    dropped_after, read = 0, 0
    for number in range(1, CIRCUITS + 1):
        path = client.circuit(adversary.fate)
        if first.dropped and not dropped_after:
            dropped_after = number
        if path is not None and path.guard.node_id.hex() == first.node_id:
            read += world.is_bad(path.ghost)
    assert MIN_CIRCUITS <= dropped_after < 30
    assert read <= 5


@pytest.mark.parametrize("seed", range(5))
def test_a_guard_that_fails_less_gains_little(seed: int) -> None:
    """Pass: a guard that fails just so many circuits that it is not dropped (half) raises the
    share of circuits it reads to at most 1 / DROP_BELOW times the share of bad ghosts, and noise;
    and the user is told of it."""
    world = World.with_share(SHARE, Random(seed), ghosts=100)
    adversary = SelectiveGuard(world, Random(seed), fails=0.5)
    client = client_of(world, seed, bad_guard=True)
    paths = [path for _ in range(4 * CIRCUITS) if (path := client.circuit(adversary.fate))]
    assert not client.guards.sample[0].dropped
    share = sum(world.is_bad(path.ghost) for path in paths) / len(paths)
    assert share <= SHARE / DROP_BELOW + 0.02
    warned = client.guards.suspects()
    assert [guard.node_id for guard in warned] == [client.guards.sample[0].node_id]


@pytest.mark.parametrize("seed", range(5))
def test_letting_other_circuits_through_buys_nothing(seed: int) -> None:
    """Pass: a guard that fails circuits to ghosts (four hops) and lets the wallet's (three hops)
    through is dropped after 20 of the former, though four of five circuits went well."""
    world = World.with_share(SHARE, Random(seed))
    adversary = SelectiveGuard(world, Random(seed))
    client = client_of(world, seed, bad_guard=True)
    to_ghosts = 0
    for number in range(CIRCUITS):
        if client.guards.sample[0].dropped:
            break
        if number % 5:
            client.circuit(lambda _path: True, middles=1)
        else:
            client.circuit(adversary.fate)
            to_ghosts += 1
    assert MIN_CIRCUITS <= to_ghosts < 30


@pytest.mark.parametrize("share", [0.05, 0.10, 0.15])
def test_others_cannot_make_an_honest_guard_drop(share: float) -> None:
    """Pass: with up to 15 % of middles and ghosts failing every circuit in silence (up to 39 % of
    all circuits), no honest guard is dropped in 10 runs of 1,000 circuits. The bound is where
    (1 - share)^3 falls below DROP_BELOW: 20.6 %."""
    for seed in range(10):
        world = World.with_share(share, Random(seed))
        client = client_of(world, seed, bad_guard=False)
        for _ in range(CIRCUITS):
            client.circuit(HostileMiddles(world).fate)
        assert not any(guard.dropped for guard in client.guards.sample)


def test_beyond_the_bound_at_most_two_guards_are_lost() -> None:
    """Pass: with half of the network hostile, a client gives up two guards and then stays: the
    attacker cannot walk it to a guard of its own choosing."""
    moved = []
    for seed in range(10):
        world = World.with_share(0.5, Random(seed))
        client = client_of(world, seed, bad_guard=False)
        for _ in range(CIRCUITS):
            client.circuit(HostileMiddles(world).fate)
        dropped = sum(bool(guard.dropped) for guard in client.guards.sample)
        assert dropped <= MAX_DROPPED
        moved.append(dropped)
    assert max(moved) == MAX_DROPPED


def test_no_guard_is_judged_by_a_handful_of_circuits() -> None:
    """Pass: a run of bad luck shorter than MIN_CIRCUITS drops nobody."""
    world = World.with_share(0.0, Random(1))
    client = client_of(world, 1, bad_guard=False)
    for _ in range(MIN_CIRCUITS - 1):
        client.circuit(lambda _path: False)
    assert not any(guard.dropped for guard in client.guards.sample)


class Gatekeeper:
    """Run by a real guard: ends every circuit whose next hop is no friend, as if it had failed."""

    def __init__(self, friends: set[bytes]) -> None:
        self.friends = friends
        self.ended = 0

    def hook(self, cell: SeenCell) -> Iterable[SeenCell]:
        if cell.command == Command.CREATED and cell.link.peer_node_id not in self.friends:
            self.ended += 1
            return (replace(cell, command=Command.DESTROY, body=bytes(BODY_BYTES)),)
        return (cell,)


@pytest.mark.trio
async def test_a_real_guard_that_lets_nobody_but_friends_through_is_left(tmp_path: Folder) -> None:
    """Pass: after some 20 failed circuits the pool builds through another guard; the user can
    read why in the report, and the verdict is saved."""
    async with bench(tmp_path, relays=6, kinds={0: MaliciousRelay}, first_guard=0) as b:
        adversary = Gatekeeper(friends=set())
        relay_at(b.network, 0).arriving = adversary.hook
        name = b.network.nodes[0].identity.node_id
        with trio.fail_after(60):
            for _ in range(10):
                try:
                    circuit = await b.pool.build_to(b.ghost, "chat", BULK_PLAN)
                except CircuitClosed:
                    continue
                break
        assert circuit.path[0].node_id != name
        assert b.pool.guards.sample[0].total("building").tried == MIN_CIRCUITS <= adversary.ended
        assert "was dropped" in b.pool.report().suspects[0]
        assert b.saved[-1][0]["dropped"] == "building"
