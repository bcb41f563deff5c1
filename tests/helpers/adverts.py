"""Signed adverts for tests: valid ones of made-up nodes whose identities never change."""

from __future__ import annotations

from engine.identity import Identity
from engine.wire.advert import Address, Advert, OnionKey, Role

NOW = 1_800_000_000
KEY = b"\x09" + bytes(31)


def identity_of(number: int) -> Identity:
    """The identity with this number, the same in every run."""
    return Identity(number.to_bytes(32, "big"))


def advert_of(
    number: int,
    *,
    host: str = "",
    published: int = NOW,
    life_s: int = 3_600,
    roles: Role = Role.RELAY,
) -> bytes:
    """The encoded advert of node `number`, by default in a network of its own."""
    identity = identity_of(number)
    return Advert(
        ed25519_public=identity.public,
        link_static=KEY,
        onion_keys=(OnionKey(KEY, published - 10, published + 86_400),),
        roles=roles,
        published=published,
        expires=published + life_s,
        addresses=(Address(host or f"127.{number % 250 + 1}.0.{number // 250 + 1}", 9_001),),
    ).encode(identity)
