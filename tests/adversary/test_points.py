"""Points of small order, or not canonical, at every place where an X25519 key enters."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

import pytest

from engine.crypto.hop import ClientHop
from engine.crypto.keys import x25519_generate, x25519_public
from engine.crypto.noise import HandshakeState
from engine.errors import HandshakeError, WireError
from engine.identity import Identity
from engine.wire.advert import Address, Advert, OnionKey, Role
from engine.wire.cells import RECORD_BYTES, Command
from engine.wire.link import PROLOGUE, LinkCert, LinkCredentials, LinkHandshake
from tests.engine.crypto.test_kdf_keys import NOT_CANONICAL, SMALL_ORDER
from tests.helpers.adversaries import MaliciousRelay, refused, relay_at, rewrite
from tests.helpers.network import local_network

BAD_POINTS = [bytes.fromhex(point) for point in [*SMALL_ORDER, *NOT_CANONICAL]]
X_AT, Y_AT = 65, 0  # in the CREATE and the CREATED payload


@pytest.mark.trio
@pytest.mark.parametrize("point", BAD_POINTS)
async def test_a_bad_point_on_the_way_ends_the_handshake(point: bytes) -> None:
    """Adversary: a guard replaces X in the CREATE it passes on, a middle replaces Y in its own
    CREATED. Pass: the hop refuses without an answer, the client refuses the answer."""
    for command, offset in ((Command.CREATE, X_AT), (Command.CREATED, Y_AT)):
        place = 0 if command is Command.CREATE else 1
        async with local_network(2, kinds={place: MaliciousRelay}) as network:
            relay_at(network, place).leaving = rewrite(command, offset, point)
            await refused(network)
            assert not network.nodes[1].core.circuits or place == 1


def bad_onion_key(point: bytes) -> None:
    ClientHop.start(1, bytes(32), point)[0].finish(bytes(1_152))


def bad_link_ephemeral(point: bytes) -> None:
    responder = LinkHandshake.responder(
        LinkCredentials.fresh(Identity.generate(), now=1_000), now=1_000
    )
    responder.read_message(point + b"\0\1\1" + bytes(RECORD_BYTES - 35))
    responder.write_message()


def bad_link_ephemeral_of_the_responder(point: bytes) -> None:
    initiator = LinkHandshake.initiator(
        LinkCredentials.fresh(Identity.generate(), now=1_000), 1, None, now=1_000
    )
    initiator.write_message()
    initiator.read_message(point + os.urandom(RECORD_BYTES - 32))


def bad_link_static(point: bytes) -> None:
    """A peer whose certified static key is bad: our `es` would be the same for everybody."""
    cert = LinkCert.issue(Identity.generate(), point, 2_000)
    LinkCert.decode(cert.encode())
    ours = HandshakeState("XX", initiator=True, prologue=PROLOGUE, static=x25519_generate())
    ours.write_message(b"")
    ours.rs = point
    ours._mix_token("es")


def advert_with(onion: bytes, static: bytes) -> None:
    """An advert, signed as it should be, over a bad onion key or link key."""
    now = int(time.time())
    identity = Identity.generate()
    advert = Advert(
        ed25519_public=identity.public,
        link_static=static,
        onion_keys=(OnionKey(onion, now, now + 60),),
        roles=Role.RELAY,
        published=now,
        expires=now + 60,
        addresses=(Address("192.0.2.1", 9),),
    )
    node = Advert.decode(advert.encode(identity), now)
    ClientHop.start(1, node.node_id, node.onion_keys[0].public)[0].finish(bytes(1_152))
    LinkCert.decode(LinkCert.issue(identity, node.link_static, 2_000).encode())
    ours = HandshakeState("XX", initiator=True, prologue=PROLOGUE, static=x25519_generate())
    ours.write_message(b"")
    ours.rs = node.link_static
    ours._mix_token("es")


def bad_onion_key_in_an_advert(point: bytes) -> None:
    advert_with(point, x25519_public(x25519_generate()))


def bad_link_key_in_an_advert(point: bytes) -> None:
    advert_with(x25519_public(x25519_generate()), point)


@pytest.mark.parametrize("point", BAD_POINTS)
@pytest.mark.parametrize(
    "place",
    [
        bad_onion_key,
        bad_link_ephemeral,
        bad_link_ephemeral_of_the_responder,
        bad_link_static,
        bad_onion_key_in_an_advert,
        bad_link_key_in_an_advert,
    ],
)
def test_no_place_takes_a_bad_point(place: Callable[[bytes], None], point: bytes) -> None:
    """Adversary: a peer that sends a point of small order, or one that is not canonical, wherever
    an X25519 key enters. Pass: HandshakeError or WireError, never a shared secret."""
    with pytest.raises((HandshakeError, WireError)):
        place(point)
