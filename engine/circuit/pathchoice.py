"""One client's choice of paths: exit first, then guard, then middles, with what was seen of them.

Joins the directory, the guards, the rules and the measurements; builds nothing. Every path comes
with a sentence for its user, and every refusal is kept for the network report.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from random import Random

import trio

from engine.circuit.client import ClientCircuit
from engine.circuit.path import Hop
from engine.directory.guards import GuardList
from engine.directory.paths import choose_middles, to_hop
from engine.directory.relays import RelaySet
from engine.directory.rules import PathRules
from engine.directory.weights import Speeds, draw_order
from engine.errors import NoRoute
from engine.wire.advert import Advert, Role

MAILBOX_PURPOSE = "mailbox"
AVOID_S = 60.0  # how long a relay that just failed is passed over when others fit
DROPPED_WEIGHT = 1_000  # a guard dropped for bias is nobody's middle while others fit
REFUSALS_KEPT = 5
GHOSTS_CHECKED = 8  # ghosts looked at before the network counts as too small


@dataclass(frozen=True)
class Choice:
    """A path, and why it is so."""

    hops: tuple[Hop, ...]
    why: str


class PathChoice:
    """Chooses paths and remembers how relays fared."""

    def __init__(self, relays: RelaySet, guards: GuardList, rules: PathRules, rng: Random) -> None:
        self.rules = rules
        self.speeds = Speeds()
        self.refusals: deque[str] = deque(maxlen=REFUSALS_KEPT)
        self._relays = relays
        self._guards = guards
        self._rng = rng
        self._avoid: dict[bytes, tuple[float, int]] = {}  # until when, how suspect

    def relays(self) -> list[Advert]:
        """Every relay a path may be drawn from."""
        return self.rules.allowed(self._relays.with_role(Role.RELAY))

    def any_relays(self) -> list[Advert]:
        """Every relay a path may be drawn from, in random order by weight."""
        self._relays.reload()
        return draw_order(self.relays(), self.rules, self.speeds, self._rng)

    def exits(self) -> list[Advert]:
        """Relays that reach mints, in random order by weight. Raises NoRoute."""
        self._relays.reload()
        known = self._relays.with_role(Role.MINT_EXIT)
        exits = draw_order(self.rules.allowed(known), self.rules, self.speeds, self._rng)
        if not exits:
            avoided = f" {len(known)} are avoided by your settings." if known else ""
            raise NoRoute(
                f"No relay that reaches mints may be used.{avoided}",
                kept="Nothing was sent; your ecash is untouched.",
                hint="Check the directory with: peer2prompt network",
            )
        suspect = self._avoided()
        exits.sort(key=lambda advert: suspect.get(self.rules.node_id(advert), 0))
        return exits

    def choose(self, last: Iterable[Advert], role: str, middles: int, purpose: str) -> Choice:
        """A path to the first of `last` that the rules allow. Raises NoRoute."""
        self._relays.reload()
        refusal: NoRoute | None = None
        for candidate in last:
            try:
                return self._choose(candidate, role, middles, purpose)
            except NoRoute as error:
                refusal = error
        refusal = refusal or NoRoute("There is nothing to build a circuit to.")
        if refusal.message not in self.refusals:
            self.refusals.append(refusal.message)
        raise refusal

    def _choose(self, last: Advert, role: str, middles: int, purpose: str) -> Choice:
        if self.rules.avoided(last):
            raise NoRoute(
                f"No safe path: the {role} lies in a network or country that your settings avoid.",
                kept="Nothing was sent and nothing was paid.",
                hint="Use another, or change [paths] in config.toml.",
            )
        now = time.time()
        relays = self._relays.with_role(Role.RELAY)
        guard = self._guards.choose(relays, [last], now=now, rng=self._rng, rules=self.rules)
        if purpose.startswith(MAILBOX_PURPOSE):
            middle = [self._layer2(relays, [last, guard], now)]
        else:
            middle = choose_middles(
                relays,
                [last, guard],
                middles,
                avoid=self._avoided(),
                rng=self._rng,
                rules=self.rules,
                speeds=self.speeds,
            )
        hops = [(guard, "guard"), *((advert, "middle") for advert in middle), (last, role)]
        path = tuple(to_hop(advert, name, int(now)) for advert, name in hops)
        return Choice(path, self._why(role, len(middle), purpose, len(relays)))

    def _layer2(self, relays: Sequence[Advert], chosen: Sequence[Advert], now: float) -> Advert:
        layer2, rules = self._guards.layer2, self.rules
        ours = frozenset(guard.node_id for guard in self._guards.sample)
        changed = layer2.refill(
            relays, ours, now=now, rng=self._rng, rules=rules, speeds=self.speeds
        )
        self._guards.changed |= changed
        return layer2.choose(relays, chosen, avoid=self._avoided(), rng=self._rng, rules=rules)

    def _why(self, role: str, middles: int, purpose: str, known: int) -> str:
        guard = self._guards.in_use
        days = int((self._guards.age_s(time.time()) or 0.0) / 86_400)
        kept = "kept since today" if not days else f"kept for {days} {_plural(days, 'day')}"
        first = guard is not None and guard is self._guards.primaries()[0]
        stands_in = "" if first else ", standing in for one that does not answer or does not fit"
        if purpose.startswith(MAILBOX_PURPOSE):
            drawn = f"one of {len(self._guards.layer2.node_ids)} layer-2 guards as the middle"
        else:
            drawn = f"{middles} {_plural(middles, 'middle')} drawn from the {known} relays known"
        table = ", autonomous system" if self.rules.table is not None else ""
        return (
            f"The {role} came first, then the guard ({kept}{stands_in}), then {drawn}. "
            f"No two hops share a network{table}, family or operator."
        )

    def check(self, middles: int) -> None:
        """Raise NoRoute when no path to any ghost would satisfy the rules."""
        relays = self._relays.with_role(Role.RELAY)
        known = self._relays.with_role(Role.GHOST)
        ghosts = [ghost for ghost in known if not self.rules.avoided(ghost)]
        refusal = _all_avoided(len(known)) if known and not ghosts else None
        for ghost in ghosts[:GHOSTS_CHECKED]:
            try:
                choose_middles(
                    relays, [ghost], middles + 1, avoid={}, rng=self._rng, rules=self.rules
                )
            except NoRoute as error:
                refusal = error
            else:
                return
        if refusal is not None:
            raise refusal

    # -- how relays fared ----------------------------------------------------------------------

    def built(self, circuit: ClientCircuit) -> None:
        """Learn from a circuit that was built; the guard is not weighed."""
        for hop in circuit.path:
            self._avoid.pop(hop.node_id, None)
        for place, seconds in enumerate(circuit.hop_times_s):
            if place:
                self.speeds.hop_built(circuit.path[place].node_id, place, seconds)

    def carried(self, circuit: ClientCircuit, bytes_s: float) -> None:
        """Learn from a bulk transfer."""
        self.speeds.carried([hop.node_id for hop in circuit.path[1:]], bytes_s)

    def failed(self, circuit: ClientCircuit) -> None:
        """Pass over the hop that failed and, as it may have lied, less so the one before it."""
        built = circuit.hops_built
        self._suspect(circuit.path[built].node_id, 2)
        if built > 1:
            self._suspect(circuit.path[built - 1].node_id, 1)

    def _suspect(self, node_id: bytes, weight: int) -> None:
        _until, before = self._avoid.get(node_id, (0.0, 0))
        self._avoid[node_id] = (trio.current_time() + AVOID_S, before + weight)

    def _avoided(self) -> dict[bytes, int]:
        now = trio.current_time()
        self._avoid = {node: entry for node, entry in self._avoid.items() if entry[0] > now}
        suspects = {node: weight for node, (_until, weight) in self._avoid.items()}
        dropped = [guard.node_id for guard in self._guards.sample if guard.dropped]
        return {**suspects, **{bytes.fromhex(name): DROPPED_WEIGHT for name in dropped}}


def _all_avoided(ghosts: int) -> NoRoute:
    return NoRoute(
        f"No safe path: your settings avoid every one of the {ghosts} ghosts known.",
        kept="Nothing was sent and nothing was paid.",
        hint="Change [paths] in config.toml, or wait for more ghosts.",
    )


def _plural(count: int, word: str) -> str:
    return word if count == 1 else f"{word}s"
