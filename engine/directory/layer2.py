"""Layer-2 guards: the few relays that may stand behind the guard on circuits to mailboxes.

Whoever can make a client build many circuits to a place it watches (a mailbox) sees in time every
relay next to the guard, and from there finds the guard. A small set of second hops, each kept for
a random number of days, makes that slow. The model is vanguards-lite (Tor proposal 333). Pure
state; persisted beside the guards.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from random import Random

from engine.directory.paths import explain
from engine.directory.rules import PathRules
from engine.directory.weights import Speeds, draw_order
from engine.wire.advert import Advert

SET_SIZE = 4
MAX_KEPT = 2 * SET_SIZE  # unlisted ones keep their place for their time, up to here
LIFE_S = (86_400.0, 22 * 86_400.0)  # the larger of two uniform draws from this range


@dataclass
class Layer2Guard:
    """One second hop. Times are unix seconds."""

    node_id: str
    added: float
    expires: float


class Layer2Set:
    """The set, and the choice from it."""

    def __init__(self, saved: Sequence[Mapping[str, object]] = ()) -> None:
        self._kept = [_loaded(item) for item in saved]

    def dump(self) -> list[dict[str, object]]:
        """The set as plain values, marked as layer 2."""
        return [{"layer": 2, **asdict(guard)} for guard in self._kept]

    @property
    def node_ids(self) -> frozenset[str]:
        """The NodeIDs in the set, in hex."""
        return frozenset(guard.node_id for guard in self._kept)

    def next_change(self) -> float | None:
        """When the next of them is replaced, unix seconds."""
        return min((guard.expires for guard in self._kept), default=None)

    def refill(
        self,
        relays: Sequence[Advert],
        guards: frozenset[str],
        *,
        now: float,
        rng: Random,
        rules: PathRules,
        speeds: Speeds | None = None,
    ) -> bool:
        """Drop the expired, draw new ones; True when the set changed. `guards` are left out
        while others are known: a guard in the set would be of no use to itself."""
        before = self.node_ids
        self._kept = [guard for guard in self._kept if now < guard.expires]
        by_id = {rules.node_id(relay).hex(): relay for relay in relays}
        listed = [by_id[g.node_id] for g in self._kept if g.node_id in by_id]
        order = draw_order(rules.allowed(relays), rules, speeds, rng)
        order.sort(key=lambda relay: rules.node_id(relay).hex() in guards)
        for relay in order:
            if len(listed) >= SET_SIZE or len(self._kept) >= MAX_KEPT:
                break
            if rules.fits(relay, listed):
                listed.append(relay)
                life = max(rng.uniform(*LIFE_S), rng.uniform(*LIFE_S))
                self._kept.append(Layer2Guard(rules.node_id(relay).hex(), now, now + life))
        return self.node_ids != before

    def choose(
        self,
        relays: Sequence[Advert],
        chosen: Sequence[Advert],
        *,
        avoid: Mapping[bytes, int],
        rng: Random,
        rules: PathRules,
    ) -> Advert:
        """One of the set that fits `chosen`. Raises NoRoute: it is never left for another relay."""
        names = self.node_ids
        ours = [r for r in relays if rules.node_id(r).hex() in names and rules.barred(r) is None]
        fitting = [relay for relay in ours if rules.fits(relay, chosen)]
        if not fitting:
            raise explain(ours, chosen, 1, rules)
        rng.shuffle(fitting)
        return min(fitting, key=lambda relay: avoid.get(rules.node_id(relay), 0))


def _loaded(item: Mapping[str, object]) -> Layer2Guard:
    node_id, added, expires = item["node_id"], item["added"], item["expires"]
    return Layer2Guard(str(node_id), float(str(added)), float(str(expires)))
