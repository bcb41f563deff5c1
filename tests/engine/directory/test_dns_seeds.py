"""First contacts from a DNS name, over real datagrams to a server on loopback."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from engine.directory.contacts import Contact, encode_invite
from engine.directory.dns_seeds import MAX_CONTACTS, DnsSeeds, contacts_in, resolve_txt
from engine.wire.network import network_tag
from tests.helpers.dns_server import DnsServer, txt

pytestmark = pytest.mark.trio

TAG = network_tag("seeds")
NAME = "seeds.example.org"


def contact(number: int, host: str = "198.41.0.4") -> Contact:
    return Contact(number.to_bytes(32), host, 9_001)


def record(*contacts: Contact, tag: bytes = TAG) -> bytes:
    return encode_invite(tag, contacts).encode("ascii")


@asynccontextmanager
async def seeds(*records: bytes) -> AsyncIterator[tuple[DnsSeeds, DnsServer]]:
    server = DnsServer(txt(*records))
    async with trio.open_nursery() as nursery:
        await nursery.start(server.run)
        resolve = partial(resolve_txt, servers=["127.0.0.1"], port=server.port)
        yield DnsSeeds(NAME, TAG, test_network=False, resolve=resolve), server
        nursery.cancel_scope.cancel()


async def test_invites_in_txt_records_become_contacts() -> None:
    eight = [contact(n) for n in range(1, 9)]  # longer than one string of a record
    async with seeds(record(*eight), record(contact(9))) as (found, server):
        await found.look()
        assert set(found.contacts()) == {*eight, contact(9)}
        assert found.error == ""
        await found.look()
        assert server.asked == 1  # an answer lasts an hour


async def test_a_name_without_an_invite_is_named_and_asked_again() -> None:
    async with seeds(b"v=spf1 -all") as (found, server):
        await found.look()
        assert found.contacts() == ()
        assert NAME in found.error
        server.answer = txt(record(contact(1)))
        await found.look()
        assert found.contacts() == (contact(1),)


async def test_a_resolver_that_does_not_know_the_name_is_an_error_in_words() -> None:
    async with seeds() as (found, _server):
        await found.look()
        assert found.contacts() == ()
        assert "gives no contacts" in found.error


async def test_a_silent_resolver_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.directory.dns_seeds.LOOK_TIMEOUT_S", 0.2)

    async def silent(_name: str) -> list[bytes]:
        await trio.sleep_forever()
        return []

    found = DnsSeeds(NAME, TAG, test_network=False, resolve=silent)
    await found.look()
    assert "in time" in found.error


async def test_only_public_addresses_of_this_network_count() -> None:
    records = [
        record(contact(1, "10.0.0.1")),
        record(contact(2, "127.0.0.1")),
        record(contact(3), tag=network_tag("other")),
        record(contact(4)),
    ]
    assert contacts_in(records, TAG, test_network=False) == (contact(4),)
    assert len(contacts_in(records, TAG, test_network=True)) == 3


async def test_one_answer_brings_a_bounded_number_of_contacts() -> None:
    records = [record(*(contact(8 * r + n) for n in range(8))) for r in range(40)]
    assert len(contacts_in(records, TAG, test_network=False)) == MAX_CONTACTS


@given(st.lists(st.binary(max_size=300)))
async def test_any_bytes_are_no_harm(records: list[bytes]) -> None:
    assert contacts_in(records, TAG, test_network=False) == ()
