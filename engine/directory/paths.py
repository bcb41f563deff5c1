"""The choice of a path: middles that fit what is chosen already, or a refusal that explains itself.

The exit is chosen first, then the guard, then the middles. When the known network is too small the
choice is refused with the count of each rule; the rules are never weakened. DESIGN section 4,
"Paths"; docs/protocol.md, "Guards and paths".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from random import Random

from engine.circuit.path import Hop
from engine.directory.rules import RULES, Mark, PathRules, network_of
from engine.directory.weights import Speeds, draw_order
from engine.errors import NoRoute
from engine.wire.advert import Advert

__all__ = ["choose_middles", "explain", "fits", "may_share_path", "network_of", "to_hop"]

SEARCH_STEPS = 50_000  # nodes looked at before a search through a hostile directory is given up
_PLAIN = PathRules()


def may_share_path(one: Advert, other: Advert, rules: PathRules = _PLAIN) -> bool:
    """True when the two nodes may be hops of one circuit."""
    return rules.clash(one, other) is None


def fits(candidate: Advert, chosen: Iterable[Advert], rules: PathRules = _PLAIN) -> bool:
    """True when `candidate` may join every hop chosen so far."""
    return rules.fits(candidate, chosen)


def choose_middles(
    relays: Sequence[Advert],
    chosen: Sequence[Advert],
    count: int,
    *,
    avoid: Mapping[bytes, int],
    rng: Random,
    rules: PathRules = _PLAIN,
    speeds: Speeds | None = None,
) -> list[Advert]:
    """`count` relays that fit `chosen` and each other, at random by weight.

    `avoid` weighs nodes that failed a moment ago: they are used only when nothing else fits, the
    least suspect first. Raises NoRoute.
    """
    order = draw_order(rules.allowed(relays), rules, speeds, rng)
    order.sort(key=lambda relay: avoid.get(rules.node_id(relay), 0))
    found = _Search(rules, order).find(0, _marks_of(rules, chosen), count)
    if found is None:
        raise explain(relays, chosen, count, rules)
    rng.shuffle(found)  # the heaviest is not to stand beside the guard more often than others
    return found


def _marks_of(rules: PathRules, chosen: Iterable[Advert]) -> frozenset[Mark]:
    return frozenset().union(*(rules.marks(advert) for advert in chosen))


class _Search:
    """Depth-first: a greedy choice can paint itself into a corner in a small network.

    Of relays that differ in nothing but their key only the first is tried at each depth, and the
    steps are bounded, so that no directory makes a client think for long.
    """

    def __init__(self, rules: PathRules, order: Sequence[Advert]) -> None:
        self._rules = rules
        self._order = order
        self._steps = SEARCH_STEPS

    def find(self, start: int, taken: frozenset[Mark], count: int) -> list[Advert] | None:
        if count == 0:
            return []
        tried: set[frozenset[Mark]] = set()
        for place in range(start, len(self._order)):
            self._steps -= 1
            if self._steps < 0:
                return None
            candidate = self._order[place]
            marks = self._rules.marks(candidate)
            kind = frozenset(mark for mark in marks if mark[0] != "key")
            if marks & taken or kind in tried:
                continue
            tried.add(kind)
            rest = self.find(place + 1, taken | marks, count - 1)
            if rest is not None:
                return [candidate, *rest]
        return None


def explain(
    relays: Sequence[Advert],
    chosen: Sequence[Advert],
    missing: int,
    rules: PathRules = _PLAIN,
    *,
    start: str = "No safe path",
) -> NoRoute:
    """The refusal: how many relays are known, how many fit, and which rule bites how often."""
    bites: Counter[str] = Counter()
    for relay in relays:
        clashes = {rules.clash(relay, other) for other in chosen} - {None}
        if (barred := rules.barred(relay)) is not None:
            clashes = {barred}
        if clashes:
            bites[next(rule for rule in RULES if rule in clashes)] += 1
    fit = len(relays) - sum(bites.values())
    reasons = [f"{bites[rule]} {words}" for rule, words in RULES.items() if bites[rule]]
    together = " but not all with each other" if fit >= missing else ""
    return NoRoute(
        f"{start}: {missing} more {_plural(missing, 'relay is', 'relays are')} needed; of the "
        f"{len(relays)} known {fit} {_plural(fit, 'fits', 'fit')}{together}"
        + (f" ({'; '.join(reasons)})." if reasons else "."),
        kept="Nothing was sent and nothing was paid.",
        hint="Wait for more relays, or check the directory with: peer2prompt network",
    )


def _plural(count: int, one: str, many: str) -> str:
    return one if count == 1 else many


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
