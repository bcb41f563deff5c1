"""How likely each relay is to be drawn: what this client measured itself, within narrow bounds.

Nothing a relay says of itself counts. Until a relay was seen a few times it weighs as much as the
median one; then between half and twice as much. The narrow range is on purpose: whoever can make
relays look slow or fast (a guard that delays, a Sybil on a fast machine) gains a factor of two,
four when both are done at once. All relays of one IPv4 /16 or IPv6 /32 together weigh at most as
much as two, so that a rented network does not buy places by the address. Measurements live in
memory only: on disk they would be a list of the relays that were used.
"""

from __future__ import annotations

import math
from collections import Counter, OrderedDict, deque
from collections.abc import Sequence
from random import Random

from engine.directory.rules import PathRules, network_of
from engine.wire.advert import Advert

CAP = 2.0  # the most a measured relay weighs, as a multiple of the median
FLOOR = 0.5  # the least
MIN_SAMPLES = 3  # observations of a relay before they count
MIN_EXPECTED = 8  # observations of any relays before "usual" means something
HISTORY = 64  # observations "usual" is the median of
MAX_NODES = 4_096
NETWORK_CAP = 2.0  # the weight of one network, in relays
_SMOOTHING = 0.25  # weight of the newest observation


class Speeds:
    """What this client saw of relays: how long a hop took to join, how fast bulk data came."""

    def __init__(self) -> None:
        self._usual: dict[str, deque[float]] = {}
        self._nodes: OrderedDict[bytes, tuple[int, float]] = OrderedDict()  # count, log of ratio

    def hop_built(self, node_id: bytes, place: int, seconds: float) -> None:
        """A hop joined at `place` of a path (0 is the guard) in `seconds`."""
        self._observe(f"hop {place}", [node_id], 1 / max(seconds, 1e-4))

    def carried(self, node_ids: Sequence[bytes], bytes_s: float) -> None:
        """A bulk transfer over these relays reached `bytes_s`."""
        self._observe("bulk", node_ids, bytes_s)

    def factor(self, node_id: bytes) -> float:
        """The relay's weight as a multiple of the median, from FLOOR to CAP."""
        count, ratio = self._nodes.get(node_id, (0, 0.0))
        return 1.0 if count < MIN_SAMPLES else min(CAP, max(FLOOR, math.exp(ratio)))

    @property
    def measured(self) -> int:
        """How many relays have been seen often enough to be weighed."""
        return sum(count >= MIN_SAMPLES for count, _ in self._nodes.values())

    def _observe(self, kind: str, node_ids: Sequence[bytes], value: float) -> None:
        usual = self._usual.setdefault(kind, deque(maxlen=HISTORY))
        if len(usual) >= MIN_EXPECTED:
            from statistics import median  # with its fractions a megabyte: relays do without

            ratio = math.log(value / median(usual))
            for node_id in node_ids:
                self._add(node_id, min(2.0, max(-2.0, ratio)))
        usual.append(value)

    def _add(self, node_id: bytes, ratio: float) -> None:
        count, before = self._nodes.pop(node_id, (0, ratio))
        self._nodes[node_id] = (count + 1, before + _SMOOTHING * (ratio - before))
        if len(self._nodes) > MAX_NODES:
            self._nodes.popitem(last=False)


def draw_order(
    relays: Sequence[Advert], rules: PathRules, speeds: Speeds | None, rng: Random
) -> list[Advert]:
    """All of `relays` in a random order in which heavier ones tend to come first.

    Drawing one after the other without putting back, by the exponential trick of Efraimidis and
    Spirakis (2006).
    """
    sizes = Counter(network_of(relay.addresses[0].host) for relay in relays)
    keyed = []
    for place, relay in enumerate(relays):
        share = min(1.0, NETWORK_CAP / sizes[network_of(relay.addresses[0].host)])
        speed = 1.0 if speeds is None else speeds.factor(rules.node_id(relay))
        weight = share * speed * rules.preference(relay)
        keyed.append((rng.expovariate(weight), place))
    keyed.sort()
    return [relays[place] for _, place in keyed]
