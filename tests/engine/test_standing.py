"""Whole nodes: one that listens on every address is found at the one that the others see."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
import trio

from engine.config import parse_config
from engine.control.protocol.network import Network
from engine.control.protocol.node import Status
from engine.directory.relays import RelaySet
from engine.node import Node
from engine.wire.advert import Role
from tests.helpers.patience import PATIENCE_S

pytestmark = pytest.mark.trio


def free_port(host: str) -> int:
    with socket.socket() as sock:
        sock.bind((host, 0))
        return int(sock.getsockname()[1])


def node(home: Path, listen: str, **network: object) -> Node:
    home.mkdir(mode=0o700)
    data = {
        "roles": ["relay"],
        "store": {"key_file": "key"},
        "link": {"listen": listen},
        "network": {"name": "standing", "test_network": True, "gossip_s": 1, **network},
    }
    return Node(parse_config(home, data, base=home))


async def shown(one: Node) -> tuple[Network, Status]:
    """What its user sees."""
    handlers = one._handlers()
    network, status = await handlers["network"](None), await handlers["status"](None)
    assert isinstance(network, Network)
    assert isinstance(status, Status)
    return network, status


def addresses(relays: RelaySet) -> set[tuple[str, int]]:
    return {(a.addresses[0].host, a.addresses[0].port) for a in relays.with_role(Role.RELAY)}


async def test_a_node_that_listens_everywhere_learns_its_address_and_tells_it(
    tmp_path: Path,
) -> None:
    hosts = ["127.31.0.1", "127.32.0.1", "127.33.0.1"]
    others = [node(tmp_path / host, f"{host}:{free_port(host)}") for host in hosts[:1]]
    port = free_port("0.0.0.0")
    with trio.fail_after(PATIENCE_S):
        async with trio.open_nursery() as nursery:
            await nursery.start(others[0].run)
            invite = (await others[0]._handlers()["network.invite"](None)).invite  # type: ignore[attr-defined]
            for host in hosts[1:]:
                listen = f"{host}:{free_port(host)}"
                others.append(node(tmp_path / host, listen, invites=[invite]))
                await nursery.start(others[-1].run)
            new = node(tmp_path / "new", f"0.0.0.0:{port}", invites=[invite])
            await nursery.start(new.run)
            while not all(("127.0.0.1", port) in addresses(one._relays) for one in others):
                await trio.sleep(0.1)
            network, status = await shown(new)
            nursery.cancel_scope.cancel()
    reach = network.directory.reach
    assert reach is not None
    assert (reach.state, reach.address) == ("reachable", f"127.0.0.1:{port}")
    assert reach.agreeing >= 2
    assert network.directory.epoch > 0
    assert not [warning for warning in status.warnings if "address" in warning]
    assert {source.origin for source in network.directory.sources} >= {"settings", "last run"}


async def test_a_node_whose_address_nobody_knows_says_so_and_stays_out(tmp_path: Path) -> None:
    only = node(tmp_path / "a", f"127.31.0.1:{free_port('127.31.0.1')}")
    with trio.fail_after(PATIENCE_S):
        async with trio.open_nursery() as nursery:
            await nursery.start(only.run)
            invite = (await only._handlers()["network.invite"](None)).invite  # type: ignore[attr-defined]
            new = node(tmp_path / "new", f"0.0.0.0:{free_port('0.0.0.0')}")
            await nursery.start(new.run)
            await new._handlers()["network.join"]({"invite": invite})
            standing = new._halves.standing
            assert standing is not None
            while standing.belief.voices == 0:
                await trio.sleep(0.05)
            _network, status = await shown(new)
            known = addresses(only._relays)
            nursery.cancel_scope.cancel()
    assert len(known) == 1
    assert any("does not advertise itself yet: 1 of 2" in warning for warning in status.warnings)
