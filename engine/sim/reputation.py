"""Clients that choose among honest and bad ghosts by the real opinions and the real choice.

What is simulated is how ghosts behave and what a client sees of it; what is thought of that, who is
chosen and who is left alone is the program's own code (`engine.market.reputation`,
`engine.session.choice`). Every client is alone: nobody tells anybody anything. One seed, one run.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from engine.market.observations import Seen, observe
from engine.market.reputation import Reputation
from engine.session.choice import Candidate, rank
from engine.session.preferences import Preferences

DAY_S = 86_400.0
MODEL = "small"
USUAL_PRICE = 40_000_000
HONEST = "honest"


@dataclass
class SimGhost:
    """One ghost. `harm` is what it does to a user; a client sees `Seen`, the user feels harm."""

    kind: str
    name: bytes
    price: int
    ttft_ms: float
    turn: int = 0
    """Questions it was asked under this name."""


@dataclass(frozen=True)
class Act:
    """What one question came to: what the client's program sees, and whether the user was harmed:
    robbed of up to a chunk, kept waiting, or given a worse model than was paid for."""

    seen: Seen
    harmed: bool
    right: bool = True
    slow: bool = False


Behaviour = Callable[[SimGhost, Random], Act]

FINE = Act(Seen.ANSWERED, harmed=False)
ROBBED = Act(Seen.OVERBILLED, harmed=True)


def _honest(_ghost: SimGhost, rng: Random) -> Act:
    draw = rng.random()
    if draw < 0.02:
        return Act(Seen.FAILED, harmed=False)
    if draw < 0.03:
        return Act(Seen.CUT, harmed=False)
    return Act(Seen.ANSWERED, harmed=False, right=rng.random() < 0.95)


def _overbills(_ghost: SimGhost, rng: Random) -> Act:
    return ROBBED if rng.random() < 0.3 else FINE


def _slow(_ghost: SimGhost, _rng: Random) -> Act:
    return Act(Seen.ANSWERED, harmed=True, slow=True)


def _wrong(_ghost: SimGhost, rng: Random) -> Act:
    return Act(Seen.ANSWERED, harmed=True, right=rng.random() < 0.3)


def _stops(_ghost: SimGhost, rng: Random) -> Act:
    return Act(Seen.CUT, harmed=True) if rng.random() < 0.5 else FINE


def _on_off(ghost: SimGhost, _rng: Random) -> Act:
    """Ten good answers to everybody, then it robs the next two."""
    return ROBBED if ghost.turn % 12 >= 10 else FINE


KINDS: dict[str, Behaviour] = {
    HONEST: _honest,
    "overbills": _overbills,
    "slow": _slow,
    "wrong answers": _wrong,
    "takes and stops": _stops,
    "on and off": _on_off,
    "whitewashes": _overbills,
    "bait": _stops,
}
"""A whitewasher takes a new name whenever a client has put it into quarantine; a bait asks a
hundredth of the usual price."""


@dataclass
class World:
    """The ghosts, and where the clients stand with them."""

    rng: Random
    ghosts: list[SimGhost] = field(default_factory=list)
    names: int = 0

    def add(self, kind: str) -> SimGhost:
        price = USUAL_PRICE if kind != "bait" else USUAL_PRICE // 100
        spread = self.rng.uniform(0.8, 1.25)
        ttft_ms = self.rng.uniform(500, 2_500)
        ghost = SimGhost(kind, self._name(), round(price * spread), ttft_ms)
        self.ghosts.append(ghost)
        return ghost

    def rename(self, ghost: SimGhost) -> None:
        """It is back under a name that nobody knows."""
        ghost.name, ghost.turn = self._name(), 0

    def _name(self) -> bytes:
        self.names += 1
        return self.names.to_bytes(32, "big")

    def candidates(self) -> list[Candidate]:
        return [
            Candidate(one.name, MODEL, one.price // 4, one.price, context=8_000)
            for one in self.ghosts
        ]


@dataclass
class Told:
    """Of one phase of a client's life: how many questions, to whom, and how many did harm."""

    asked: int = 0
    bad: int = 0
    harmed: int = 0
    robbed: int = 0
    kinds: Counter[str] = field(default_factory=Counter)

    def note(self, kind: str, act: Act) -> None:
        self.asked += 1
        self.bad += kind != HONEST
        self.harmed += act.harmed
        self.robbed += act.seen is Seen.OVERBILLED
        self.kinds[kind] += 1


@dataclass
class Client:
    """One user's opinions."""

    world: World
    want: Preferences
    by_chance: bool = False
    """The control: any ghost, whatever is known of it."""
    opinions: Reputation = field(default_factory=Reputation)
    firsts: Counter[bytes] = field(default_factory=Counter)

    def session(self, now: float, questions: int, told: Told | None) -> None:
        """One session: a ghost is chosen, and asked so often or until it fails."""
        ghost = self._choose(now)
        if ghost is None:
            return
        if told is not None:
            self.firsts[ghost.name] += 1
        for _ in range(questions):
            act = self._ask(ghost, now)
            if told is not None:
                told.note(ghost.kind, act)
            elif act.seen is Seen.ANSWERED:
                probe = Seen.PROBE_RIGHT if act.right else Seen.PROBE_WRONG
                self.opinions.note(ghost.name, observe(probe, now, model=MODEL), now)
            if act.seen is not Seen.ANSWERED:
                break
        banned = self.opinions.quarantined(ghost.name, now)
        if ghost.kind == "whitewashes" and banned is not None and not banned.rest:
            self.world.rename(ghost)

    def _choose(self, now: float) -> SimGhost | None:
        world = self.world
        if self.by_chance:
            return world.rng.choice(world.ghosts)
        order = rank(world.candidates(), self.want, self.opinions, now=now, rng=world.rng)
        if not order:
            return None
        return next(one for one in world.ghosts if one.name == order[0].ghost)

    def _ask(self, ghost: SimGhost, now: float) -> Act:
        act = KINDS[ghost.kind](ghost, self.world.rng)
        ghost.turn += 1
        wait = 15_000.0 if act.slow else ghost.ttft_ms * self.world.rng.uniform(0.8, 1.3)
        seen = observe(act.seen, now, model=MODEL, ttft_ms=wait, rate=30, price=ghost.price)
        self.opinions.note(ghost.name, seen, now)
        return act


@dataclass(frozen=True)
class Setup:
    """`sessions` of each client, `per_day` of them; `probes` a day beside."""

    honest: int = 20
    bad: int = 20
    clients: int = 10
    sessions: int = 200
    per_day: float = 5.0
    probes: float = 3.0
    questions: int = 3
    seed: int = 1
    by_chance: bool = False
    sybils: int = 0
    """Fresh names that a whitewasher adds, all bad."""


@dataclass(frozen=True)
class Result:
    """Phases: the first tenth of each client's sessions, and the last half."""

    first: Told
    last: Told
    most_of_one: float
    """The largest share of one client's sessions that one ghost got."""
    names: int


def simulate(setup: Setup) -> Result:
    """Every client's life, interleaved."""
    rng = Random(setup.seed)
    world = World(rng)
    bad = [kind for kind in KINDS if kind != HONEST]
    for number in range(setup.honest):
        world.add(HONEST)
        if number < setup.bad:
            world.add(bad[number % len(bad)])
    for number in range(setup.honest, setup.bad):
        world.add(bad[number % len(bad)])
    for _ in range(setup.sybils):
        world.add("whitewashes")
    want = Preferences(model=MODEL)
    clients = [Client(world, want, setup.by_chance) for _ in range(setup.clients)]
    first, last = Told(), Told()
    for number in range(setup.sessions):
        now = 1_700_000_000 + number / setup.per_day * DAY_S
        phase = Told()
        for client in clients:
            client.session(now, setup.questions, phase)
            while rng.random() < setup.probes / (setup.probes + setup.per_day):
                client.session(now, 1, None)
        for told in (first, last):
            early, late = number < setup.sessions // 10, number >= setup.sessions // 2
            if (told is first and early) or (told is last and late):
                told.asked += phase.asked
                told.bad += phase.bad
                told.harmed += phase.harmed
                told.robbed += phase.robbed
                told.kinds += phase.kinds
    most = max(max(one.firsts.values()) / sum(one.firsts.values()) for one in clients)
    return Result(first, last, most, world.names)
