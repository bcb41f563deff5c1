"""Whom a node may ask first, from every origin at once, and the invites it gives."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from engine.acquaintance import Acquaintance
from engine.config import parse_config
from engine.directory.contacts import Contact, encode_invite, parse_invite
from engine.directory.relays import RelaySet
from engine.directory.sources import Origin
from engine.wire.network import network_tag
from tests.helpers.adverts import NOW, advert_of, identity_of
from wallet.store import KeyFile, Store

pytestmark = pytest.mark.trio

TAG = network_tag("main")
ONE, TWO, THREE = (Contact(bytes([n]) * 32, f"198.41.{n}.4", 9_001) for n in (1, 2, 3))


def invite(*contacts: Contact) -> str:
    return encode_invite(TAG, contacts)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    key = KeyFile(tmp_path / "key", create=True)
    async with await Store.open(tmp_path / "store.db", key, create=True) as opened:
        yield opened


def people(store: Store, known: int = 0, **network: Any) -> Acquaintance:
    settings = parse_config(Path("/h"), {"network": network}, base=Path("/b")).network
    relays = RelaySet(None, test_network=True, clock=lambda: NOW)
    for number in range(known):
        relays.adverts.add(advert_of(number), NOW)
    return Acquaintance(settings, relays, store)


async def test_contacts_have_origins(store: Store, tmp_path: Path) -> None:
    file = tmp_path / "contacts"
    file.write_text(invite(TWO))
    found = people(store, 2, invites=[invite(ONE)], contacts=str(file))
    await found.join(invite(THREE))
    groups = found.groups()
    assert set(groups) == {Origin.SETTINGS, Origin.FILE, Origin.INVITE, Origin.LAST}
    assert (list(groups[Origin.SETTINGS]), list(groups[Origin.FILE])) == ([ONE], [TWO])
    assert set(found.contacts()) >= {ONE, TWO, THREE}
    told = {one.origin: (one.contacts, one.answered) for one in found.sources({ONE.node_id})}
    assert told["settings"] == (1, 1)
    assert told["file"] == (1, 0)
    assert told["last run"] == (2, 0)


async def test_a_broken_file_is_named_and_the_others_stay(store: Store, tmp_path: Path) -> None:
    file = tmp_path / "contacts"
    file.write_text("P2P1NONSENSE")
    found = people(store, invites=[invite(ONE)], contacts=str(file))
    assert found.contacts() == [ONE]
    assert "invite" in found.errors[0]


async def test_finders_are_opted_in_to(store: Store) -> None:
    assert people(store).finders == []
    both = people(store, dns="seeds.example.org", lan=True)
    assert [finder.origin for finder in both.finders] == [Origin.DNS, Origin.LAN]


async def test_an_invite_names_this_node_first(store: Store) -> None:
    found = people(store, 6)
    own = found.relays.get(identity_of(3).node_id)
    long, short = found.invite(own), found.invite(own, most=1)
    assert len(parse_invite(long, TAG)) == 4
    assert [c.node_id for c in parse_invite(short, TAG)] == [identity_of(3).node_id]
    assert len(short) < 115  # what a QR code of 80x24 holds
