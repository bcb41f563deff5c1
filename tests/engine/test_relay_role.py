"""What a serving node offers by its settings."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from engine.circuit.key_keeper import KeyKeeper
from engine.config import parse_config
from engine.crypto.keys import x25519_generate
from engine.directory.work import OwnWork
from engine.errors import ConfigError
from engine.identity import Identity
from engine.mailbox.settings import MailboxSettings
from engine.relay_role import RelayRole
from engine.wire.advert import Advert, Role
from engine.wire.frames import Purpose

MakeRole = Callable[..., Awaitable[RelayRole]]
GHOST = {"provider_url": "http://127.0.0.1:1/v1", "models": ["m"], "mints": ["http://127.0.0.1:2"]}


def config(**changes: Any) -> Any:
    data = {"roles": ["relay"], "link": {"listen": "127.9.0.1:9"}, "network": {}, **changes}
    return parse_config(Path("/home"), data, base=Path("/base"))


async def save(_data: bytes) -> None:
    """Keys are not kept in these tests."""


@pytest.fixture
async def role(tmp_path: Path) -> AsyncIterator[MakeRole]:
    """Makes relay roles from settings; closes their keys."""
    keepers: list[KeyKeeper] = []

    async def make(**changes: Any) -> RelayRole:
        keepers.append(await KeyKeeper.open(tmp_path, None, bytes(32), save))
        identity = Identity.generate()
        return RelayRole(
            config(**changes),
            identity,
            x25519_generate(),
            keepers[-1],
            {},
            is_relay=lambda _node_id: False,
            on_fault=lambda _kind: None,
            work=OwnWork(identity.node_id, 0, save=save),
        )

    yield make
    for keeper in keepers:
        keeper.close()


def advertised(relay: RelayRole) -> Role:
    return Advert.decode(relay.advert(), int(time.time())).roles


@pytest.mark.trio
async def test_a_relay_keeps_mailboxes_unless_told_otherwise(role: MakeRole) -> None:
    relay = await role()
    assert advertised(relay) == Role.RELAY | Role.MAILBOX
    assert Purpose.MAILBOX in relay.core.handlers
    silent = await role(mailbox={"enabled": False})
    assert advertised(silent) == Role.RELAY
    assert Purpose.MAILBOX not in silent.core.handlers
    ghost = await role(roles=["ghost"], ghost=GHOST)
    assert advertised(ghost) == Role.GHOST


def test_settings_of_mailboxes() -> None:
    assert config().mailbox == MailboxSettings()
    table = {"enabled": False, "hold_ms": 0, "slots": 100, "memory_mib": 7}
    assert config(mailbox=table).mailbox == MailboxSettings(**table)


@pytest.mark.parametrize(
    ("table", "names"),
    [
        ({"hold_ms": -1}, "mailbox.hold_ms"),
        ({"hold_ms": 10_001}, "mailbox.hold_ms"),
        ({"slots": 0}, "mailbox.slots"),
        ({"memory_mib": "much"}, "mailbox.memory_mib"),
        ({"enabled": 1}, "mailbox.enabled"),
        ({"size": 1}, "mailbox.size"),
    ],
)
def test_mistakes_are_named(table: dict[str, object], names: str) -> None:
    with pytest.raises(ConfigError, match=names):
        config(mailbox=table)


@pytest.mark.trio
async def test_a_ghost_may_send_to_public_relays_and_never_to_itself(role: MakeRole) -> None:
    ghost = await role(roles=["ghost"], ghost=GHOST)
    assert ghost.may_dial(bytes(32), "8.8.8.8", 9_001)
    assert not ghost.may_dial(bytes(32), "10.0.0.1", 9_001)
    assert not ghost.may_dial(bytes(32), "127.9.0.1", 9)
    test_network = await role(network={"test_network": True})
    assert test_network.may_dial(bytes(32), "127.9.0.2", 9)
    assert not test_network.may_dial(bytes(32), "127.9.0.1", 9)
