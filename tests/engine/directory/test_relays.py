"""The known relays: signed adverts from a file, reloaded when it changes."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from engine.directory.relays import RelaySet
from engine.errors import ConfigError, WireError
from engine.identity import Identity
from engine.wire.advert import Address, Advert, OnionKey, Role
from engine.wire.directory_file import format_directory


def signed(host: str, *, roles: Role = Role.RELAY, life_s: int = 3_600) -> bytes:
    identity = Identity.generate()
    now = int(time.time())
    key = b"\x09" + bytes(31)
    advert = Advert(
        ed25519_public=identity.public,
        link_static=key,
        onion_keys=(OnionKey(key, now - 10, now + 3_600),),
        roles=roles,
        published=now,
        expires=now + life_s,
        addresses=(Address(host, 9001),),
    )
    return advert.encode(identity)


def write(path: Path, adverts: list[bytes], extra: str = "") -> None:
    path.write_text(format_directory(adverts) + extra)


def test_good_lines_are_kept_and_bad_ones_named(tmp_path: Path) -> None:
    path = tmp_path / "directory.txt"
    write(path, [signed("127.1.0.1"), signed("127.2.0.1", roles=Role.GHOST)], "garbage!\n")
    relays = RelaySet(path, test_network=True)
    assert relays.reload()
    assert len(relays.with_role(Role.RELAY)) == 1
    assert len(relays.with_role(Role.GHOST)) == 1
    assert relays.errors[0].startswith("line 4")


def test_an_unchanged_file_is_not_read_again(tmp_path: Path) -> None:
    path = tmp_path / "directory.txt"
    write(path, [signed("127.1.0.1")])
    relays = RelaySet(path, test_network=True)
    assert relays.reload()
    assert not relays.reload()
    write(path, [signed("127.1.0.1"), signed("127.2.0.1")])
    os.utime(path, (1, 1))
    assert relays.reload()
    assert len(relays.with_role(Role.RELAY)) == 2


def test_private_addresses_are_refused_outside_test_networks(tmp_path: Path) -> None:
    path = tmp_path / "directory.txt"
    write(path, [signed("127.1.0.1"), signed("192.168.1.1"), signed("9.9.9.9")])
    relays = RelaySet(path, test_network=False)
    relays.reload()
    assert len(relays.with_role(Role.RELAY)) == 1
    assert len(relays.errors) == 2


def test_expired_adverts_are_not_offered(tmp_path: Path) -> None:
    path = tmp_path / "directory.txt"
    write(path, [signed("127.1.0.1", life_s=100)])
    later = time.time()
    relays = RelaySet(path, test_network=True, clock=lambda: later)
    relays.reload()
    (advert,) = relays.with_role(Role.RELAY)
    later += 200
    assert relays.with_role(Role.RELAY) == []
    assert relays.get(advert.node_id) is None


def test_a_missing_file_gets_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        RelaySet(tmp_path / "none", test_network=True).reload()


def test_no_file_means_no_relays() -> None:
    relays = RelaySet(None, test_network=True)
    assert not relays.reload()
    assert relays.with_role(Role.RELAY) == []


def test_a_found_ghost_is_known_and_compared_with_nobody() -> None:
    relays = RelaySet(None, test_network=True)
    ghost = Advert.decode(signed("127.2.0.1", roles=Role.GHOST | Role.RELAY), int(time.time()))
    assert relays.introduce(ghost)
    assert relays.get(ghost.node_id) == ghost
    assert relays.with_role(Role.GHOST) == [ghost]
    assert relays.with_role(Role.RELAY) == []  # it may not become a hop
    assert len(relays.adverts) == 0
    assert relays.dump() == b""


def test_found_ghosts_are_kept_for_the_next_run() -> None:
    """Credit may lie with them."""
    before, after = (RelaySet(None, test_network=True) for _ in range(2))
    ghost = Advert.decode(signed("127.2.0.1", roles=Role.GHOST), int(time.time()))
    before.introduce(ghost)
    after.restore_found(before.dump_found())
    assert after.get(ghost.node_id) == ghost
    with pytest.raises(WireError):
        after.restore_found(before.dump_found()[:-1])


def test_a_relay_is_not_introduced_as_a_ghost() -> None:
    relays = RelaySet(None, test_network=True)
    relay = Advert.decode(signed("127.2.0.1"), int(time.time()))
    assert not relays.introduce(relay)
    assert relays.get(relay.node_id) is None


def test_a_found_ghost_obeys_the_rules_of_the_set() -> None:
    """Its address must be public, its network ours, its identity paid for, its life not over."""
    advert = Advert.decode(signed("192.168.1.1", roles=Role.GHOST), int(time.time()))
    assert not RelaySet(None, test_network=False).introduce(advert)
    assert not RelaySet(None, test_network=True, network=b"another!").introduce(advert)
    assert not RelaySet(None, test_network=True, work_bits=20).introduce(advert)
    later = RelaySet(None, test_network=True, clock=lambda: time.time() + 7_200)
    assert not later.introduce(advert)
