"""A client's pool of circuits over a real network on loopback, for tests."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from engine.circuit.pool import CircuitPool
from engine.crypto.suite import default_suite
from engine.directory.guards import GuardList
from engine.directory.relays import RelaySet
from engine.wire.advert import Advert, Role
from engine.wire.directory_file import format_directory
from tests.helpers.network import LocalNetwork, LocalNode, local_network


@dataclass
class Bench:
    """Four relays, one ghost, and a pool that knows them from a directory file."""

    network: LocalNetwork
    pool: CircuitPool
    ghost: Advert
    saved: list[list[dict[str, object]]] = field(default_factory=list)
    changes: list[tuple[int, str, str]] = field(default_factory=list)


@asynccontextmanager
async def bench(
    folder: Path,
    relays: int = 4,
    *,
    kinds: Mapping[int, type[LocalNode]] | None = None,
    first_guard: int | None = None,
) -> AsyncIterator[Bench]:
    """A pool over a real network; `first_guard` is the place of a guard it has used before."""
    async with local_network(relays + 1, kinds=kinds) as network:
        *relay_nodes, ghost_node = network.nodes
        adverts = [n.advert(Role.RELAY | Role.MINT_EXIT) for n in relay_nodes]
        ghost = ghost_node.advert(Role.GHOST)
        lines = [
            advert.encode(node.identity)
            for advert, node in zip([*adverts, ghost], network.nodes, strict=True)
        ]
        path = folder / "directory.txt"
        path.write_text(format_directory(lines))
        known = RelaySet(path, test_network=True)
        known.reload()
        saved: list[list[dict[str, object]]] = []
        changes: list[tuple[int, str, str]] = []

        before: list[dict[str, object]] = []
        if first_guard is not None:
            name = network.nodes[first_guard].identity.node_id.hex()
            before.append({"node_id": name, "added": time.time(), "circuits": 1})

        async def save(sample: list[dict[str, object]]) -> None:
            saved.append(sample)

        pool = CircuitPool(
            network.client_links,
            known,
            GuardList(before),
            suite=default_suite(),
            save_guards=save,
            on_change=lambda *change: changes.append(change),
        )
        await network.nursery.start(pool.run)
        yield Bench(network, pool, ghost, saved, changes)


def stop(network: LocalNetwork, node_id: bytes) -> None:
    """The node refuses every new circuit from now on and drops its links."""
    for node in network.nodes:
        if node.identity.node_id == node_id:
            node.core.draining = True
            for link in node.links.links:
                link.close()
