"""Unsigned adverts: path rules and guards look at values, not at signatures."""

from __future__ import annotations

from random import Random

from engine.wire.advert import Address, Advert, OnionKey, Role

NOW = 1_800_000_000
_NAMES = Random(20_261_121)


def advert(
    *hosts: str,
    family: bytes = bytes(16),
    operator: bytes = bytes(16),
    roles: Role = Role.RELAY,
    now: int = NOW,
) -> Advert:
    """An advert of a new node at `hosts`, listed for an hour."""
    return Advert(
        ed25519_public=_NAMES.randbytes(32),
        link_static=bytes(32),
        onion_keys=(OnionKey(bytes(32), now - 10, now + 3_600),),
        roles=roles,
        published=now,
        expires=now + 3_600,
        addresses=tuple(Address(host, 9001) for host in hosts),
        family_tag=family,
        operator_tag=operator,
    )


def spread(count: int, start: int = 0) -> list[Advert]:
    """`count` relays, each in a /16 of its own, none of them related."""
    return [advert(f"{20 + (start + n) // 256}.{(start + n) % 256}.0.1") for n in range(count)]
