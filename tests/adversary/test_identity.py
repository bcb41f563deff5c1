"""Identity confusion: copied onion keys, borrowed certificates, one name for two nodes."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import pytest
import trio

from engine.crypto.keys import x25519_generate, x25519_public
from engine.crypto.suite import default_suite
from engine.errors import CircuitClosed
from engine.identity import Identity
from engine.link.manager import LinkManager
from engine.wire.cells import Command
from engine.wire.link import CERT_LIFE_S, LinkCert, LinkCredentials
from tests.helpers.adversaries import MaliciousRelay, put_cell, refused, relay_at
from tests.helpers.network import LocalNetwork, LocalNode, local_network

pytestmark = pytest.mark.trio


async def test_a_copied_onion_key_in_another_advert_gets_no_circuit() -> None:
    """Adversary: node 2 advertises the onion key of node 1 and hands CREATEs for itself to node 1.
    Pass: node 1 refuses what names somebody else, and node 2 cannot answer: no circuit."""
    async with local_network(3, kinds={2: MaliciousRelay}) as network:
        owner, copier = network.nodes[1], relay_at(network, 2)
        path = network.path()
        copied = replace(path[2], onion_key=path[1].onion_key)
        await refused(network, (path[0], copied))
        link = await copier.links.get(owner.identity.node_id, owner.host, owner.port)
        heard: list[int] = []
        circ_id = link.new_circ_id(lambda command, _body: heard.append(command))
        (create,) = [c for c in copier.seen if c.command == Command.CREATE]
        put_cell(link, circ_id, Command.CREATE, create.body)
        with trio.fail_after(60):
            while not heard:
                await trio.sleep(0.01)
        assert heard == [Command.DESTROY]


class Borrower(LinkManager):
    """Links that show credentials of the test's choice."""

    given: LinkCredentials

    @property
    def _credentials(self) -> LinkCredentials:
        return self.given


async def with_credentials(network: LocalNetwork, given: LinkCredentials) -> None:
    """Dial node 0 with these credentials, and pose as node 1 towards a client."""
    links = Borrower(Identity.generate(), default_suite(), on_create=None)
    links.given = given
    await network.nursery.start(links.run)
    target = network.nodes[0]
    with trio.fail_after(60):
        # With Noise XX the initiator is done first: what tells is that the link does not live.
        link = await links.get(target.identity.node_id, target.host, target.port)
        while not link.closed:
            await trio.sleep(0.01)
    assert not target.links.links
    port = await network.nursery.start(links.serve, "127.0.0.1", 0)
    await refused(network, (replace(network.path()[1], host="127.0.0.1", port=port),))


def copied_certificate(victim: LocalNode) -> LinkCredentials:
    """The victim's certificate with a static key of ours."""
    static = x25519_generate()
    return LinkCredentials(static, x25519_public(static), victim.links._credentials.cert)


def certificate_over_anothers_key(victim: LocalNode) -> LinkCredentials:
    """Our signature over the victim's static key, which we do not hold."""
    cert = LinkCert.issue(
        Identity.generate(), victim.links.link_static, int(time.time()) + CERT_LIFE_S
    )
    return LinkCredentials(x25519_generate(), victim.links.link_static, cert)


def forged_certificate(victim: LocalNode) -> LinkCredentials:
    """The victim's name over our key, signed by us."""
    static = x25519_generate()
    ours = LinkCert.issue(
        Identity.generate(), x25519_public(static), int(time.time()) + CERT_LIFE_S
    )
    return LinkCredentials(
        static, x25519_public(static), replace(ours, ed25519_public=victim.identity.public)
    )


def expired_certificate(_victim: LocalNode) -> LinkCredentials:
    """A good name of our own whose time is over."""
    return LinkCredentials.fresh(Identity.generate(), now=int(time.time()) - 2 * CERT_LIFE_S)


@pytest.mark.parametrize(
    "credentials",
    [
        copied_certificate,
        certificate_over_anothers_key,
        forged_certificate,
        expired_certificate,
    ],
)
async def test_a_borrowed_certificate_makes_no_link(
    credentials: Callable[[LocalNode], LinkCredentials],
) -> None:
    """Adversary: dials a relay, and listens for a client, with somebody else's certificate or a
    forged one. Pass: the relay drops the link, the client refuses the hop."""
    async with local_network(2) as network:
        await with_credentials(network, credentials(network.nodes[1]))


async def test_a_node_that_hears_itself_hangs_up() -> None:
    """Adversary: a wire that reflects a node's handshake to itself. Pass: no link."""
    async with local_network(2) as network:
        node = network.nodes[0]
        with trio.fail_after(60), pytest.raises(CircuitClosed):
            await node.links.get(node.identity.node_id, node.host, node.port)
        assert not node.links.links


async def test_two_nodes_with_one_key_are_one_node() -> None:
    """Adversary: an operator runs a second node with the same identity, to stand twice on a path.
    Pass: the relay between them refuses to extend back to that name."""
    async with local_network(3) as network:
        twin = LocalNode("127.77.0.1", network.nodes[0].handlers)
        twin.identity = network.nodes[0].identity
        await network.nursery.start(twin.run)
        first, middle, _last = network.path()
        await refused(network, (first, middle, replace(first, host=twin.host, port=twin.port)))


async def test_an_extend_to_somebody_else_at_the_address_is_refused() -> None:
    """Adversary: whoever answers at a relay's address is not that relay. Pass: the hop before it
    reports a failure, tells the impostor nothing of its own name, and no circuit comes to be."""
    async with local_network(3) as network:
        first, second, third = network.path()
        await refused(network, (first, replace(second, host=third.host, port=third.port)))
        assert not network.nodes[2].links.links
