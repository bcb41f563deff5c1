"""Path rules: which nodes may stand together on a circuit, and the choice of middles.

The exit is chosen first, then the guard, then the middles. No two hops share a key, an IPv4 /16 or
IPv6 /32, a declared family or an operator. When the known network is too small the choice is
refused with the reason; the rules are never weakened. DESIGN section 4, "Paths".
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from random import Random

from engine.circuit.path import Hop
from engine.errors import NoRoute
from engine.wire.advert import Advert

_ZERO_TAG = bytes(16)


def network_of(host: str) -> str:
    """The IPv4 /16 or IPv6 /32 that `host` lies in."""
    address = ipaddress.ip_address(host)
    prefix = 16 if address.version == 4 else 32
    return str(ipaddress.ip_network((address, prefix), strict=False))


def may_share_path(one: Advert, other: Advert) -> bool:
    """True when the two nodes may be hops of one circuit."""
    if one.node_id == other.node_id:
        return False
    if {network_of(a.host) for a in one.addresses} & {network_of(a.host) for a in other.addresses}:
        return False
    for mine, theirs in (
        (one.family_tag, other.family_tag),
        (one.operator_tag, other.operator_tag),
    ):
        if mine != _ZERO_TAG and mine == theirs:
            return False
    return True


def fits(candidate: Advert, chosen: Sequence[Advert]) -> bool:
    """True when `candidate` may join every hop chosen so far."""
    return all(may_share_path(candidate, other) for other in chosen)


def choose_middles(
    relays: Sequence[Advert],
    chosen: Sequence[Advert],
    count: int,
    *,
    avoid: Mapping[bytes, int],
    rng: Random,
) -> list[Advert]:
    """`count` relays that fit `chosen` and each other, at random.

    `avoid` weighs nodes that failed a moment ago: they are used only when nothing else fits, the
    least suspect first. Raises NoRoute.
    """
    preferred = [r for r in relays if r.node_id not in avoid]
    fallback = [r for r in relays if r.node_id in avoid]
    rng.shuffle(preferred)
    rng.shuffle(fallback)
    fallback.sort(key=lambda relay: avoid[relay.node_id])
    found = _search([*preferred, *fallback], list(chosen), count)
    if found is None:
        raise no_route(len(relays), count)
    return found


def _search(candidates: list[Advert], chosen: list[Advert], count: int) -> list[Advert] | None:
    """Depth-first: a greedy choice can paint itself into a corner in a small network."""
    if count == 0:
        return []
    for place, candidate in enumerate(candidates):
        if not fits(candidate, chosen):
            continue
        rest = _search(candidates[place + 1 :], [*chosen, candidate], count - 1)
        if rest is not None:
            return [candidate, *rest]
    return None


def no_route(relays: int, missing: int) -> NoRoute:
    """The refusal, in the words of its user."""
    return NoRoute(
        f"No safe path: of the {relays} relays known, none are left that differ in network, family "
        f"and operator for {missing} more {'hop' if missing == 1 else 'hops'}.",
        kept="Nothing was sent and nothing was paid.",
        hint="Wait for more relays, or check the directory with: peer2prompt network",
    )


def to_hop(advert: Advert, role: str, now: int) -> Hop:
    """The advert as a hop, with the onion key that is valid now. Raises NoRoute."""
    onion_key = advert.onion_key_at(now)
    if onion_key is None:
        raise NoRoute(
            "A node's advert has no key that is valid now.",
            kept="Nothing was sent and nothing was paid.",
            hint="Check this machine's clock.",
        )
    address = advert.addresses[0]
    return Hop(advert.node_id, address.host, address.port, onion_key.public, role)
