"""Finding each other by mDNS: real multicast on loopback, and the judgement of what is heard."""

from __future__ import annotations

import socket

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from engine.directory.contacts import Contact, encode_invite
from engine.directory.lan import SERVICE, LanFinder
from engine.directory.lan_book import MAX_HEARD, MAX_PER_HOST, LanBook
from engine.wire.network import network_tag
from tests.helpers.patience import PATIENCE_S

pytestmark = pytest.mark.trio

TAG = network_tag("near")
LOOPBACK = ["127.0.0.1"]
NODE = bytes(range(32))


def line(*contacts: Contact, tag: bytes = TAG) -> bytes:
    return encode_invite(tag, contacts).encode("ascii")


def near(number: int, host: str = "192.168.1.9", port: int = 9_001) -> Contact:
    return Contact(number.to_bytes(32), host, port)


def finder() -> LanFinder:
    return LanFinder(TAG, test_network=True, interfaces=LOOPBACK)


async def test_a_listening_node_is_found_and_forgotten_when_it_leaves() -> None:
    listening, client = finder(), finder()
    listening.announce(Contact(NODE, "127.0.0.1", 9_001))
    leaving = trio.CancelScope()

    async def listen(*, task_status: trio.TaskStatus[None]) -> None:
        with leaving:
            await listening.run(task_status=task_status)

    with trio.fail_after(PATIENCE_S):
        async with trio.open_nursery() as nursery:
            await nursery.start(listen)
            await nursery.start(client.run)
            assert (listening.error, client.error) == ("", "")
            while not client.contacts():
                await trio.sleep(0.05)
            assert client.contacts() == (Contact(NODE, "127.0.0.1", 9_001),)
            names = list(client.book._heard)
            leaving.cancel()
            while client.contacts():
                await trio.sleep(0.05)
            nursery.cancel_scope.cancel()
    assert all(name.endswith(SERVICE) for name in names)
    assert not any(NODE.hex()[:8] in name for name in names)


async def test_a_client_announces_nothing() -> None:
    assert finder()._service() is None


async def test_the_name_is_new_each_time_and_says_nothing() -> None:
    found = finder()
    found.announce(Contact(NODE, "127.0.0.1", 9_001))
    one, other = found._service(), found._service()
    assert one is not None
    assert other is not None
    assert one.name != other.name
    assert one.server == one.name  # not the machine's name
    assert one.addresses == [socket.inet_aton("127.0.0.1")]


async def test_a_node_with_a_public_address_only_is_not_announced() -> None:
    found = finder()
    found.announce(Contact(NODE, "198.41.0.4", 9_001))
    assert found._service() is None


async def test_where_multicast_is_impossible_the_user_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = finder()

    def broken() -> None:
        raise OSError(19, "No such device")

    monkeypatch.setattr(found, "_open", broken)
    async with trio.open_nursery() as nursery:
        await nursery.start(found.run)
    assert "No such device" in found.error
    await found.look()  # does not wait for anybody
    assert found.contacts() == ()


# --- the book ---------------------------------------------------------------------------------


async def test_a_contact_comes_and_goes() -> None:
    book = LanBook(TAG, test_network=False)
    book.heard("a", line(near(1)))
    assert book.contacts() == (near(1),)
    book.gone("a")
    book.gone("a")
    assert book.contacts() == ()


@pytest.mark.parametrize(
    "announced",
    [
        line(near(1, "198.41.0.4")),
        line(near(1, "127.0.0.1")),
        line(near(1, port=22)),
        line(near(1), near(2)),
        line(near(1), tag=network_tag("other")),
        b"",
        b"\xff" * 255,
        line(*(near(n) for n in range(8))),
    ],
    ids=["elsewhere", "loopback", "low port", "two", "other network", "empty", "garbage", "long"],
)
async def test_what_is_not_one_contact_of_the_local_network_is_refused(announced: bytes) -> None:
    book = LanBook(TAG, test_network=False)
    book.heard("a", announced)
    assert (book.contacts(), book.refused) == ((), 1)


@given(st.lists(st.tuples(st.integers(0, 40), st.binary(max_size=300))))
async def test_any_bytes_are_no_harm(heard: list[tuple[int, bytes]]) -> None:
    book = LanBook(TAG, test_network=False)
    for name, data in heard:
        book.heard(str(name), data)
    assert book.contacts() == ()


@given(st.lists(st.tuples(st.integers(0, 99), st.integers(1, 250), st.integers(0, 5))))
async def test_the_book_is_bounded(heard: list[tuple[int, int, int]]) -> None:
    book = LanBook(TAG, test_network=False)
    for name, node, host in heard:
        book.heard(str(name), line(near(node, f"10.0.0.{host}")))
        hosts = [one.host for one in book._heard.values()]
        assert len(hosts) <= MAX_HEARD
        assert all(hosts.count(host) <= MAX_PER_HOST for host in hosts)
