"""Any history of outages, failures, restarts and changes of the directory keeps the bounds."""

from __future__ import annotations

from random import Random

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from engine.directory.guards import MAX_DROPPED, MAX_SAMPLE, PRIMARY, SAMPLE_SHARE, GuardList
from engine.directory.rules import PathRules
from engine.errors import NoRoute
from engine.wire.advert import Advert
from tests.helpers.unsigned import NOW, spread

RELAYS = spread(60)
RULES = PathRules()


class GuardHistory(RuleBasedStateMachine):
    """Drives a GuardList as a client would, with everything going wrong that can."""

    def __init__(self) -> None:
        super().__init__()
        self.guards = GuardList()
        self.now = float(NOW)
        self.rng = Random(1)
        self.listed = list(RELAYS)
        self.last: Advert | None = None

    @rule(seconds=st.sampled_from([1, 10, 60, 3_600, 86_400, 30 * 86_400]))
    def time_passes(self, seconds: int) -> None:
        self.now += seconds

    @rule(gone=st.integers(0, 59), seed=st.integers(0, 99))
    def the_directory_changes(self, gone: int, seed: int) -> None:
        self.listed = Random(seed).sample(RELAYS, len(RELAYS) - gone)

    @rule(near=st.booleans())
    def choose(self, near: bool) -> None:
        chosen = [self.rng.choice(RELAYS)] if near else []
        try:
            self.last = self.guards.choose(
                self.listed, chosen, now=self.now, rng=self.rng, rules=RULES
            )
        except NoRoute:
            self.last = None
        else:
            assert self.last in self.listed
            assert RULES.fits(self.last, chosen)

    @precondition(lambda self: self.last is not None)
    @rule()
    def it_fails(self) -> None:
        assert self.last is not None
        self.guards.failed(self.last.node_id, self.now)

    @precondition(lambda self: self.last is not None)
    @rule(good=st.booleans(), times=st.integers(1, 40), in_use=st.booleans())
    def it_answers(self, good: bool, times: int, in_use: bool) -> None:
        assert self.last is not None
        self.guards.succeeded(self.last.node_id, self.now)
        for _ in range(times):
            count = self.guards.used if in_use else self.guards.built
            count(self.last.node_id, good, 3 + in_use)

    @rule()
    def restart(self) -> None:
        self.guards = GuardList(self.guards.dump())

    @invariant()
    def bounds_hold(self) -> None:
        sample = self.guards.sample
        dropped = sum(bool(guard.dropped) for guard in sample)
        assert dropped <= MAX_DROPPED
        assert len(self.guards.primaries()) <= PRIMARY
        assert len({guard.node_id for guard in sample}) == len(sample)
        most = max(PRIMARY + MAX_DROPPED, len(RELAYS) // SAMPLE_SHARE)
        assert len(sample) <= MAX_SAMPLE
        assert sum(guard.tried is not None and guard.listed for guard in sample) <= most + PRIMARY

    @invariant()
    def guards_are_unrelated(self) -> None:
        by_id = {relay.node_id.hex(): relay for relay in self.listed}
        ours = [by_id[g.node_id] for g in self.guards.sample if g.node_id in by_id]
        assert all(RULES.fits(one, ours[:place]) for place, one in enumerate(ours))

    @invariant()
    def the_dropped_never_serve(self) -> None:
        assert not any(guard.dropped for guard in self.guards.primaries())


TestGuardHistory = GuardHistory.TestCase
TestGuardHistory.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)
