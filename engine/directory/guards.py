"""The guards of this client: a small sampled list, kept, so that few relays ever see its address.

One guard is in use. Others of the sample serve while it cannot be reached, and the sample never
grows because guards fail: who can make connections fail (or circuits) moves a client by a bounded
number of relays. Pure state; loading and saving is the caller's. The model is Tor's guard-spec;
the algorithm with its constants is in docs/protocol.md, "Guards and paths".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from random import Random

from engine.directory.bias import Verdict
from engine.directory.guard import BACKOFF_S, Guard
from engine.directory.layer2 import Layer2Set
from engine.directory.paths import explain
from engine.directory.rules import PathRules
from engine.directory.weights import draw_order
from engine.errors import NoRoute
from engine.wire.advert import Advert

PRIMARY = 3  # guards that are tried before any other
MAX_SAMPLE = 20
SAMPLE_SHARE = 5  # at most a fifth of the relays known, but never fewer than PRIMARY
NEW_PER_DAY = 5  # guards that are tried for the first time within a day
DAY_S = 86_400.0
PATIENCE_S = 120.0  # and no other is drawn in its place before: directories fill after a start
UNLISTED_KEEP_S = 20 * DAY_S  # a guard that left the directory keeps its place so long
ALL_FAILED_RETRY_S = 3.0  # when no guard answers, it is our network: try again soon
WIDEN_AFTER_S = 60.0  # and no guard is tried for the first time until it has lasted this long
MAX_DROPPED = 2  # guards dropped for bias at one time; a third means that others fail circuits
BUILDING, USE = "building", "use"
_PLAIN = PathRules()


class GuardList:
    """The sample in the order drawn, the choice from it, and what happened to each guard."""

    def __init__(self, saved: Sequence[Mapping[str, object]] = ()) -> None:
        self._sample = [Guard.load(item) for item in saved if item.get("layer", 1) == 1]
        self.layer2 = Layer2Set([item for item in saved if item.get("layer", 1) == 2])
        self.in_use: Guard | None = None
        self.changed = False  # something that must not be lost: save at once
        self._all_failed_since: float | None = None

    def dump(self) -> list[dict[str, object]]:
        """The guards as plain values, to be stored encrypted."""
        return [guard.dump() for guard in self._sample] + self.layer2.dump()

    @property
    def sample(self) -> tuple[Guard, ...]:
        """Every guard kept, in the order drawn."""
        return tuple(self._sample)

    def age_s(self, now: float) -> float | None:
        """How long the guard in use has been kept."""
        guard = self.in_use or next(iter(self.primaries()), None)
        return None if guard is None else max(0.0, now - guard.added)

    # -- choosing ------------------------------------------------------------------------------

    def primaries(self) -> list[Guard]:
        """The guards to try first: confirmed ones by age of service, then the rest as drawn."""
        return self._ranked()[:PRIMARY]

    def _ranked(self) -> list[Guard]:
        usable = [guard for guard in self._sample if guard.usable]
        confirmed = [guard for guard in usable if guard.confirmed is not None]
        confirmed.sort(key=lambda guard: guard.confirmed or 0.0)
        return confirmed + [guard for guard in usable if guard.confirmed is None]

    def choose(
        self,
        relays: Sequence[Advert],
        chosen: Sequence[Advert],
        *,
        now: float,
        rng: Random,
        rules: PathRules = _PLAIN,
    ) -> Advert:
        """The first primary guard that may be tried now and fits the exit.

        Guards behind the primaries serve only while every primary that fits has failed. Raises
        NoRoute, also when an exit clashes with every primary: an exit must not choose our guard.
        """
        by_id = self._listed_ones(relays, now, rules)
        self._fill(by_id, relays, PRIMARY, now, rng, rules)
        primaries = self.primaries()
        fitting = [g for g in primaries if rules.fits(by_id[g.node_id], chosen)]
        if not primaries and self._awaited(now):
            raise _not_listed_yet(len(relays))
        if not fitting:
            known = [by_id[g.node_id] for g in primaries] or relays
            raise explain(known, chosen, 1, rules, start="No guard may be used for this path")
        ready = [g for g in fitting if g.ready(now)]
        if not ready and self._may_widen(now):
            ready = self._behind(by_id, chosen, now, rules)
            if not ready:
                self._fill(by_id, relays, len(self._ranked()) + 1, now, rng, rules)
                ready = self._behind(by_id, chosen, now, rules)
        if not ready:
            raise _no_answer(fitting)
        guard = ready[0]
        if guard.tried is None:
            guard.tried, self.changed = now, True
        self.in_use = guard
        return by_id[guard.node_id]

    def _behind(
        self, by_id: Mapping[str, Advert], chosen: Sequence[Advert], now: float, rules: PathRules
    ) -> list[Guard]:
        """Guards behind the primaries that may be tried: known ones, then the daily new ones."""
        recent = sum(g.tried is not None and now - g.tried < DAY_S for g in self._listed())
        return [
            guard
            for guard in self._ranked()[PRIMARY:]
            if guard.ready(now)
            and (guard.tried is not None or recent < NEW_PER_DAY)
            and rules.fits(by_id[guard.node_id], chosen)
        ]

    def _may_widen(self, now: float) -> bool:
        since = self._all_failed_since
        return since is not None and abs(now - since) >= WIDEN_AFTER_S

    # -- the sample ----------------------------------------------------------------------------

    def _listed_ones(
        self, relays: Sequence[Advert], now: float, rules: PathRules
    ) -> dict[str, Advert]:
        """The sample's adverts; notes who is listed and forgets guards whose time is over."""
        ours = {bytes.fromhex(guard.node_id) for guard in self._sample}
        found = ((rules.node_id(relay), relay) for relay in relays)
        by_id = {node_id.hex(): relay for node_id, relay in found if node_id in ours}
        before = len(self._sample)
        for guard in self._sample:
            relay = by_id.get(guard.node_id)
            guard.listed = relay is not None
            guard.allowed = relay is not None and rules.barred(relay) is None
            if guard.listed:
                guard.unlisted_since = guard.missed_at = None
            elif guard.missed_at is None or now < guard.missed_at:  # or a clock that was set back
                guard.missed_at = now
            if not guard.listed and guard.unlisted_since is None and relays:
                guard.unlisted_since, self.changed = now, True
        self._sample = [guard for guard in self._sample if not _is_over(guard, now)]
        self.changed |= len(self._sample) != before
        return by_id

    def _listed(self) -> list[Guard]:
        return [guard for guard in self._sample if guard.listed]

    def _fill(
        self,
        by_id: dict[str, Advert],
        relays: Sequence[Advert],
        usable: int,
        now: float,
        rng: Random,
        rules: PathRules,
    ) -> None:
        """Draw guards until `usable` can serve or the bound of the sample is reached.

        Dropped guards and such as the user avoids count, unless fewer than PRIMARY are left: at
        most MAX_DROPPED can be dropped. Guards of one sample never clash with each other, so that
        no network, family or operator has two of them. Guards that left the directory keep their
        place, the oldest making room at MAX_SAMPLE.
        """
        missing = usable - len(self._ranked()) - self._awaited(now)
        bound = min(MAX_SAMPLE, max(PRIMARY, len(relays) // SAMPLE_SHARE))
        room = max(bound - len(self._listed()), PRIMARY - len(self._ranked()))
        if missing <= 0 or room <= 0:
            return
        have = [by_id[guard.node_id] for guard in self._listed()]
        names = {bytes.fromhex(guard.node_id) for guard in self._sample}
        others = [relay for relay in rules.allowed(relays) if rules.node_id(relay) not in names]
        for relay in draw_order(others, rules, None, rng):
            if missing <= 0 or room <= 0:
                break
            if rules.fits(relay, have):
                have.append(relay)
                name = rules.node_id(relay).hex()
                by_id[name] = relay
                self._sample.append(Guard.draw(name, now, rng))
                self.changed = True
                missing, room = missing - 1, room - 1
        self._make_room()

    def _awaited(self, now: float) -> int:
        """Guards that are missing from the directory, but not for long."""
        return sum(
            guard.missed_at is not None and not guard.dropped and now - guard.missed_at < PATIENCE_S
            for guard in self._sample
        )

    def _make_room(self) -> None:
        gone = sorted(
            (guard for guard in self._sample if not guard.listed),
            key=lambda guard: guard.unlisted_since or 0.0,
        )
        for guard in gone[: max(0, len(self._sample) - MAX_SAMPLE)]:
            self._sample.remove(guard)

    # -- what happened -------------------------------------------------------------------------

    def failed(self, node_id: bytes, now: float) -> None:
        """The guard could not be reached."""
        guard = self._get(node_id)
        if guard is None:
            return
        guard.retry_at = now + BACKOFF_S[min(guard.failures, len(BACKOFF_S) - 1)]
        guard.failures += 1
        primaries = self.primaries()
        if primaries and all(one.failures for one in primaries):
            if self._all_failed_since is None:
                self._all_failed_since = now
            for one in primaries:
                one.retry_at = min(one.retry_at, now + ALL_FAILED_RETRY_S)

    def succeeded(self, node_id: bytes, now: float) -> None:
        """The guard built its part of a circuit: it is reachable, and so is the network."""
        guard = self._get(node_id)
        if guard is None:
            return
        if self._all_failed_since is not None:  # better guards may be back as well
            self._all_failed_since = None
            for one in self._sample:
                one.retry_at = min(one.retry_at, now)
        guard.failures = 0
        guard.retry_at = 0.0
        if guard.confirmed is None:
            guard.confirmed, self.changed = now, True
            guard.expires += now - guard.added  # its time begins when it first serves

    def built(self, node_id: bytes, good: bool, hops: int) -> None:
        """A circuit behind the guard was built, or failed in a way the guard could have caused.

        Paths of different lengths are counted apart: a guard can tell them, and must not pay for
        failing the one kind with the other.
        """
        guard = self._get(node_id)
        if guard is not None:
            guard.circuits += good
            self._count(guard, BUILDING, hops, good)

    def used(self, node_id: bytes, good: bool, hops: int) -> None:
        """A circuit that carried streams ended, well or by being cut or tampered with."""
        guard = self._get(node_id)
        if guard is not None:
            self._count(guard, USE, hops, good)

    def _count(self, guard: Guard, stage: str, hops: int, good: bool) -> None:
        verdict = guard.count(stage, hops, good)
        dropped = sum(bool(one.dropped) for one in self._sample)
        if verdict is Verdict.DROP and not guard.dropped and dropped < MAX_DROPPED:
            guard.dropped, self.changed = stage, True
            if self.in_use is guard:
                self.in_use = None

    def suspects(self) -> list[Guard]:
        """Guards that fail more circuits than honest ones should, dropped or not."""
        return [guard for guard in self._sample if guard.suspicious]

    def _get(self, node_id: bytes) -> Guard | None:
        name = node_id.hex()
        return next((guard for guard in self._sample if guard.node_id == name), None)


def _is_over(guard: Guard, now: float) -> bool:
    gone = guard.unlisted_since is not None and now - guard.unlisted_since > UNLISTED_KEEP_S
    return gone or now >= guard.expires


def _not_listed_yet(relays: int) -> NoRoute:
    return NoRoute(
        f"None of this node's guards is among the {relays} relays known so far. The directory may "
        "still be filling; others are chosen in two minutes.",
        kept="Nothing was sent and nothing was paid.",
        hint="Try again in a moment, or check the directory with: peer2prompt network",
    )


def _no_answer(guards: Iterable[Guard]) -> NoRoute:
    count = len(list(guards))
    return NoRoute(
        f"No guard answers: {count} {'was' if count == 1 else 'were'} tried a moment ago. Most "
        "likely this machine's network is down; nothing else is tried in their place.",
        kept="Nothing was sent and nothing was paid.",
        hint="Check the network connection; they are tried again every few seconds.",
    )
