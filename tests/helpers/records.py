"""Records and members made to measure, for tests of the DHT."""

from __future__ import annotations

from random import Random

from engine.crypto.keys import x25519_generate, x25519_public
from engine.directory.dht.making import epoch_signer, sign_record, solve_record
from engine.directory.dht.members import Member
from engine.identity import Identity
from engine.wire.advert import Address, Advert, OnionKey, Role
from engine.wire.network import MAIN_NETWORK
from engine.wire.record import Capability, model_capability

NOW = 1_800_000_000
MODEL = model_capability(MAIN_NETWORK, "tiny")
KEY = MODEL.keys(MODEL.epoch_at(NOW))[0]

__all__ = ["KEY", "MODEL", "NOW", "epoch_signer", "member", "record", "signed_advert"]


def signed_advert(
    identity: Identity,
    host: str = "20.0.0.1",
    *,
    roles: Role = Role.GHOST,
    now: int = NOW,
    network: bytes = MAIN_NETWORK,
) -> bytes:
    """A whole advert of `identity`, alive for an hour."""
    public = x25519_public(x25519_generate())
    return Advert(
        ed25519_public=identity.public,
        link_static=public,
        onion_keys=(OnionKey(public, now - 10, now + 3_600),),
        roles=roles,
        published=now,
        expires=now + 3_600,
        addresses=(Address(host, 9001),),
        network=network,
    ).encode(identity)


def record(
    identity: Identity | None = None,
    *,
    capability: Capability = MODEL,
    key: bytes = KEY,
    sequence: int = NOW,
    expires: int = NOW + 3_600,
    bits: int = 0,
    advert: bytes | None = None,
) -> bytes:
    """A valid record of `identity` (a new one by default) for `key`."""
    owner = identity or Identity.generate()
    return sign_record(
        owner,
        capability,
        key,
        advert=advert or signed_advert(owner),
        sequence=sequence,
        expires=expires,
        nonce=solve_record(owner, key, bits),
    )


def member(rng: Random, position: int | None = None) -> Member:
    """A member in a /24 of its own."""
    place = rng.getrandbits(256) if position is None else position
    return Member(rng.randbytes(32), place, rng.randbytes(3))
