"""Against the ways in which a node finds others and learns its own address."""

from __future__ import annotations

import random

import pytest
import trio

from engine.directory.bootstrap import ASKED_AT_ONCE
from engine.directory.contacts import Contact, encode_invite
from engine.directory.dialback import DialBack
from engine.directory.dns_seeds import MAX_CONTACTS, DnsSeeds
from engine.directory.lan_book import MAX_HEARD, LanBook
from engine.directory.relays import RelaySet
from engine.directory.sources import Origin, take_turns
from engine.link.connection import Link
from engine.link.settings import Advertised
from engine.standing import Standing
from engine.wire.network import network_tag
from engine.wire.reach import ReachAnswer, ReachQuestion, Verdict, encode_answer
from tests.helpers.network import LocalNode

pytestmark = pytest.mark.trio

TAG = network_tag("main")
LIE = "203.0.113.9"


class Liar(DialBack):
    """Adversary: a neighbour that names another address and says that it answers there."""

    def _take(self, link: Link, question: ReachQuestion) -> None:
        from engine.directory.dialback import _send

        answer = ReachAnswer(question.name, Verdict.REACHED, LIE, question.port)
        _send(link, encode_answer(answer))


class Witness:
    """A node that says where it sees its neighbours; of the kind that is asked for."""

    def __init__(self, place: int, kind: type[DialBack] = DialBack) -> None:
        self.node = LocalNode(f"127.{place + 1}.0.1", {})
        self.dialback = kind(self.node.links, lambda *_where: True)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        async with trio.open_nursery() as nursery:
            await nursery.start(self.node.run)
            await nursery.start(self.dialback.run)
            task_status.started()


@pytest.mark.parametrize(
    ("honest", "liars", "believed"), [(3, 2, True), (2, 1, True), (1, 1, False)]
)
async def test_liars_about_our_address_do_not_outvote_the_others(
    honest: int, liars: int, believed: bool
) -> None:
    """Criterion: with more honest witnesses than liars the true address is advertised, with as many
    none is; the lie never."""
    me = Witness(0)
    me.node.host = "127.0.0.1"
    others = [Witness(n + 1) for n in range(honest)]
    others += [Witness(n + 10, Liar) for n in range(liars)]
    told: list[str] = []
    async with trio.open_nursery() as nursery:
        for node in (me, *others):
            await nursery.start(node.run)
        relays = RelaySet(None, test_network=True)
        for other in others:
            advert = other.node.advert()
            relays.adverts.keep(advert, advert.raw)
        standing = Standing(
            me.node.links,
            relays,
            me.dialback,
            Advertised("", me.node.port),
            me.node.identity.node_id,
            tested=True,
            meet=trio.lowlevel.checkpoint,
            advertise=lambda host, _port: told.append(host),
            hide=lambda _hidden: None,
            rng=random.Random(1),
        )
        await standing._check()
        nursery.cancel_scope.cancel()
    assert told == (["127.0.0.1"] if believed else [])


async def test_nobody_is_made_to_dial_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """A neighbour wants to learn who listens on another machine, and on its own behind a wall.

    Criterion: the victim sees no connection at all; whether a port is open, closed or held by
    somebody else, the answer is the same, after the same time."""
    monkeypatch.setattr("engine.directory.dialback.PROBE_S", 0.4)
    relay, attacker = Witness(1), Witness(0)
    attacker.node.host = "127.0.0.1"
    seen: list[object] = []
    async with trio.open_nursery() as nursery:
        for node in (relay, attacker):
            await nursery.start(node.run)
        victim = await trio.open_tcp_listeners(0, host="127.66.0.1")
        other = await trio.open_tcp_listeners(0, host="127.0.0.1")
        port = victim[0].socket.getsockname()[1]

        async def note(stream: trio.SocketStream) -> None:
            seen.append(stream)

        nursery.start_soon(trio.serve_listeners, note, victim)
        link = await attacker.node.links.get(
            relay.node.identity.node_id, relay.node.host, relay.node.port
        )
        answers, times = [], []
        for asked in (port, other[0].socket.getsockname()[1], 1_999):
            began = trio.current_time()
            answers.append(await attacker.dialback.ask(link, asked))
            times.append(trio.current_time() - began)
        nursery.cancel_scope.cancel()
    for listener in (*victim, *other):
        await listener.aclose()
    assert seen == []
    assert {answer.host for answer in answers} == {"127.0.0.1"}
    assert {answer.verdict for answer in answers} == {Verdict.NOT_REACHED}
    assert all(took >= 0.4 for took in times)  # none of them fails faster than the others


async def test_poisoned_announcements_in_the_local_network_are_bounded() -> None:
    """A neighbour in the local network announces thousands of nodes: his own, victims elsewhere,
    low ports, one machine again and again.

    Criterion: at most MAX_HEARD of them count, none outside of the local network, and an honest
    contact of the settings is among the first that are asked."""
    book, rng = LanBook(TAG, test_network=False), random.Random(5)
    for number in range(5_000):
        host = rng.choice(["192.168.0.7", "10.1.2.3", "198.41.0.4", "127.0.0.1", "10.9.9.9"])
        port = rng.choice([22, 80, 9_001, 9_002])
        line = encode_invite(TAG, [Contact(number.to_bytes(32), host, port)])
        book.heard(f"{number}", line.encode())
    heard = book.contacts()
    assert len(heard) <= MAX_HEARD
    assert {contact.host for contact in heard} <= {"192.168.0.7", "10.1.2.3", "10.9.9.9"}
    assert {contact.port for contact in heard} <= {9_001, 9_002}
    honest = Contact(bytes(32), "198.41.0.9", 9_001)
    order = take_turns({Origin.LAN: heard, Origin.SETTINGS: [honest]}, rng)
    assert honest in order[:ASKED_AT_ONCE]


async def test_garbage_from_dns_is_bounded_and_harmless() -> None:
    """A forged DNS answer: noise, cut invites, invites of other networks, victims in the local
    network, and a thousand contacts of the forger.

    Criterion: nothing raises, only public contacts of this network count, no more than
    MAX_CONTACTS, and an honest contact of the settings is among the first that are asked."""
    rng = random.Random(6)

    def invite(host: str, tag: bytes = TAG) -> bytes:
        return encode_invite(tag, [Contact(rng.randbytes(32), host, 9_001)]).encode()

    forged = [rng.randbytes(rng.randrange(900)) for _ in range(10)]
    forged += [invite("198.41.0.4")[:-3], invite("198.41.0.4", network_tag("x")), b"P2P1" * 300]
    forged += [invite("192.168.0.1"), invite("127.0.0.1"), invite("224.0.0.1")]
    forged += [invite(f"198.41.{n % 256}.4") for n in range(1_000)]
    rng.shuffle(forged)

    async def resolve(_name: str) -> list[bytes]:
        return forged

    seeds = DnsSeeds("seeds.example.org", TAG, test_network=False, resolve=resolve)
    await seeds.look()
    found = seeds.contacts()
    assert 0 < len(found) <= MAX_CONTACTS
    assert all(contact.host.startswith("198.41.") for contact in found)
    honest = Contact(bytes(32), "198.41.0.9", 9_001)
    order = take_turns({Origin.DNS: found, Origin.SETTINGS: [honest]}, rng)
    assert honest in order[:ASKED_AT_ONCE]
