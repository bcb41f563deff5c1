"""The client's circuits: choosing a path, building with retries, keeping, rotating, reporting.

Circuits are isolated by purpose and tag: a chat session, the wallet and the directory never share
one. Guards are loaded from and saved to the encrypted store by the functions handed in.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from random import SystemRandom

import trio

from engine.circuit.build_times import BuildTimes
from engine.circuit.client import CircuitState, ClientCircuit, Fault
from engine.circuit.pathchoice import MAILBOX_PURPOSE, PathChoice
from engine.circuit.shaping import ShapeClass, ShapePlan
from engine.circuit.shared import SharedCircuits
from engine.circuit.traffic import TrafficBook
from engine.crypto.geometry import REGION_BYTES
from engine.directory.guards import GuardList
from engine.directory.relays import RelaySet
from engine.directory.report import GuardReport, guard_facts, suspicions
from engine.directory.rules import PathRules
from engine.errors import CircuitClosed, ConfigError, NoRoute
from engine.link.connection import Link
from engine.link.manager import LinkManager
from engine.wire.advert import Advert

BUILD_ATTEMPTS = 5
BUILD_PATIENCE_S = 45.0  # no further attempt is begun after so long: somebody waits for a word
EVENTS_KEPT = 50
COVER_PURPOSE = "cover"
MIDDLES_TO_GHOST = 2
MIDDLES_TO_RELAY = 1
UPKEEP_S = 5.0
SPARE_RETRY_S = (5.0, 10.0, 30.0, 120.0, 300.0)
LOSS_S = 60.0  # circuits that end with their link within this time are one loss
BULK_RATE_BYTES_S = 65_536  # a transfer slower than this says nothing of the relays


@dataclass(frozen=True)
class CircuitNote:
    """One line of the circuit pane's log. `ts` is unix seconds."""

    ts: float
    circuit_id: int
    purpose: str
    state: str
    text: str
    why: str


class CircuitPool:
    """Builds and owns the circuits of one client."""

    def __init__(
        self,
        links: LinkManager,
        relays: RelaySet,
        guards: GuardList,
        *,
        suite: int,
        save_guards: Callable[[list[dict[str, object]]], Awaitable[None]],
        on_change: Callable[[int, str, str], None],
        rules: PathRules | None = None,
    ) -> None:
        self.notes: deque[CircuitNote] = deque(maxlen=EVENTS_KEPT)
        self.circuits: dict[int, ClientCircuit] = {}
        self.traffic = TrafficBook()
        self.guards = guards
        self.rules = rules or PathRules()
        self._rng = SystemRandom()
        self._paths = PathChoice(relays, guards, self.rules, self._rng)
        self._times = BuildTimes()
        self._shared = SharedCircuits(self._rng)
        self._links = links
        self._relays = relays
        self._suite = suite
        self._save_guards = save_guards
        self._on_change = on_change
        self._locks: dict[tuple[str, str], trio.Lock] = {}
        self._ready: dict[str, ShapePlan] = {}
        self._spare_due: dict[str, tuple[float, int]] = {}  # when to try again, failures so far
        self._carried: dict[int, int] = {}  # data cells of bulk circuits at the last look
        self._last_loss: tuple[Link, float] | None = None
        self._counted = False  # counters moved since they were saved
        self._next_id = 1
        self._nursery: trio.Nursery | None = None

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Own the circuits' tasks until cancelled."""
        try:
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                task_status.started()
                while True:
                    await trio.sleep(UPKEEP_S)
                    await self._upkeep()
        finally:
            self._nursery = None

    # -- building ------------------------------------------------------------------------------

    async def build_to(self, ghost: Advert, purpose: str, plan: ShapePlan) -> ClientCircuit:
        """A fresh circuit guard, middle, middle, ghost. Raises NoRoute or CircuitClosed."""
        return await self._build([ghost], "ghost", MIDDLES_TO_GHOST, purpose, plan)

    async def build_to_relay(self, last: Advert, purpose: str, plan: ShapePlan) -> ClientCircuit:
        """A fresh circuit guard, middle, last. Raises NoRoute or CircuitClosed.

        For purposes that begin with "mailbox" the middle is one of the layer-2 guards.
        """
        role = "mailbox" if purpose.startswith(MAILBOX_PURPOSE) else "exit"
        return await self._build([last], role, MIDDLES_TO_RELAY, purpose, plan)

    async def build_cover(self, plan: ShapePlan) -> ClientCircuit:
        """A fresh circuit to a random relay, as long as one to a ghost."""
        relays = self._paths.any_relays()
        return await self._build(relays, "relay", MIDDLES_TO_GHOST, COVER_PURPOSE, plan)

    async def shared_exit(self, purpose: str, plan: ShapePlan, tag: str = "") -> ClientCircuit:
        """The circuit of `purpose` and `tag` to an exit relay: the one in use, a spare, or new."""
        key = (purpose, tag)
        async with self._locks.setdefault(key, trio.Lock()):
            circuit = self._shared.current(key, trio.current_time())
            if circuit is None:
                circuit = await self._build_to_exit(purpose, plan)
                self._shared.take(key, circuit)
            return circuit

    def keep_ready(self, purpose: str, plan: ShapePlan) -> None:
        """From now on have a clean circuit to an exit ready for `purpose`."""
        if purpose not in self._ready:
            self._ready[purpose] = plan
            if self._nursery is not None:
                self._nursery.start_soon(self._make_spares)

    async def _build_to_exit(self, purpose: str, plan: ShapePlan) -> ClientCircuit:
        exits = self._paths.exits()
        return await self._build(exits, "exit", MIDDLES_TO_RELAY, purpose, plan)

    async def _build(
        self, last: Sequence[Advert], role: str, middles: int, purpose: str, plan: ShapePlan
    ) -> ClientCircuit:
        failure: CircuitClosed | None = None
        late = trio.current_time() + BUILD_PATIENCE_S
        attempts = 0
        while attempts < BUILD_ATTEMPTS and (not attempts or trio.current_time() < late):
            choice = self._paths.choose(_from(last, attempts), role, middles, purpose)
            circuit = ClientCircuit(choice.hops, self._suite, purpose, plan, why=choice.why)
            attempts += 1
            try:
                await self._attempt(circuit)
            except CircuitClosed as error:
                failure = error
                continue
            return circuit
        raise CircuitClosed(
            f"No circuit could be built (paths tried: {attempts}).",
            kept="Nothing was paid.",
            hint="Relays or the far end may be down; see: peer2prompt network",
        ) from failure

    async def _attempt(self, circuit: ClientCircuit) -> None:
        nursery = self._nursery
        if nursery is None:
            raise CircuitClosed("The node is shutting down.")
        circuit_id = self._next_id
        self._next_id += 1
        self.circuits[circuit_id] = circuit
        self._note(circuit_id, circuit, "building", "building a new path")
        try:
            await circuit.build(self._links, self._times.timeout_s(len(circuit.path)))
        except CircuitClosed:
            del self.circuits[circuit_id]
            self._note(circuit_id, circuit, "closed", circuit.reason)
            self._failed(circuit)
            await self._save_if_changed()
            raise
        except BaseException:
            self.circuits.pop(circuit_id, None)
            raise
        self._built(circuit)
        await self._save_if_changed()
        self._note(circuit_id, circuit, "open", f"open for {circuit.purpose}")
        nursery.start_soon(self._own, circuit_id, circuit)

    # -- what is learned from circuits ----------------------------------------------------------

    def _built(self, circuit: ClientCircuit) -> None:
        guard = circuit.path[0].node_id
        self.guards.succeeded(guard, time.time())
        self.guards.built(guard, True, len(circuit.path))
        self._counted = True
        self._times.built(circuit.hop_times_s)
        self._paths.built(circuit)

    def _failed(self, circuit: ClientCircuit) -> None:
        """Count the failure where it may belong, and pass over the hop that failed for a while."""
        guard = circuit.path[0].node_id
        if circuit.fault is Fault.GUARD:
            self.guards.failed(guard, time.time())
            return
        self.guards.succeeded(guard, time.time())
        if circuit.timed_out:
            self._times.timed_out()
        if circuit.fault is Fault.BEHIND:
            self.guards.built(guard, False, len(circuit.path))
            self._counted = True
        self._paths.failed(circuit)

    def _ended(self, circuit: ClientCircuit) -> None:
        """Count the end of a circuit that was in use; a dead link counts once for all on it."""
        if not circuit.streams_opened and not circuit.tampered:
            return
        link, now = circuit.dead_link, trio.current_time()
        if link is not None and circuit.fault is Fault.BEHIND:
            before, self._last_loss = self._last_loss, (link, now)
            if before is not None and before[0] is link and now - before[1] < LOSS_S:
                return
        good = circuit.fault is Fault.NONE
        self.guards.used(circuit.path[0].node_id, good, len(circuit.path))
        self._counted = True

    async def _own(self, circuit_id: int, circuit: ClientCircuit) -> None:
        try:
            await circuit.run()
        finally:
            self.circuits.pop(circuit_id, None)
            self._carried.pop(circuit_id, None)
            self._ended(circuit)
            self._note(circuit_id, circuit, "closed", circuit.reason)

    def _note(self, circuit_id: int, circuit: ClientCircuit, state: str, text: str) -> None:
        note = CircuitNote(time.time(), circuit_id, circuit.purpose, state, text, circuit.why)
        self.notes.append(note)
        if state == "closed":
            self.traffic.close(circuit)
        self._on_change(circuit_id, state, text)

    # -- upkeep --------------------------------------------------------------------------------

    async def _upkeep(self) -> None:
        """Replace what is worn, have spares ready, measure, save."""
        for circuit, reason in self._shared.worn(trio.current_time()):
            self._retire(circuit, reason)
        dropped = {guard.node_id for guard in self.guards.sample if guard.dropped}
        for circuit in list(self.circuits.values()):
            if circuit.path[0].node_id.hex() in dropped and not circuit.endpoint.mux.stream_count:
                self._retire(circuit, "its guard was dropped")
        self._measure()
        await self._make_spares()
        if self._counted or self.guards.changed:
            await self._save()

    async def _make_spares(self) -> None:
        for purpose, plan in self._ready.items():
            due, failures = self._spare_due.get(purpose, (0.0, 0))
            now = trio.current_time()
            if now < due or self._shared.has_spare(purpose, now):
                continue
            wait = SPARE_RETRY_S[min(failures, len(SPARE_RETRY_S) - 1)]
            self._spare_due[purpose] = (now + wait, failures + 1)
            try:
                circuit = await self._build_to_exit(purpose, plan)
            except (CircuitClosed, NoRoute, ConfigError):
                continue  # whoever needs a circuit gets the reason
            self._spare_due.pop(purpose, None)
            self._shared.keep(purpose, circuit)

    def _measure(self) -> None:
        """How fast bulk circuits carry data just now, as far as it says something of relays."""
        for circuit_id, circuit in self.circuits.items():
            if circuit.plan.shape_class is not ShapeClass.BULK:
                continue
            cells = circuit.cells_up + circuit.cells_down
            rate = (cells - self._carried.get(circuit_id, cells)) * REGION_BYTES / UPKEEP_S
            self._carried[circuit_id] = cells
            if rate >= BULK_RATE_BYTES_S and circuit.state is CircuitState.OPEN:
                self._paths.carried(circuit, rate)

    async def _save_if_changed(self) -> None:
        if self.guards.changed:
            await self._save()

    async def _save(self) -> None:
        self.guards.changed = self._counted = False
        await self._save_guards(self.guards.dump())

    # -- what the user may know -----------------------------------------------------------------

    def check_network(self) -> None:
        """Raise NoRoute when no path to any ghost would satisfy the rules."""
        self._paths.check(MIDDLES_TO_GHOST)

    def report(self) -> GuardReport:
        """Guards, sets and refusals, for the user."""
        now = time.time()
        change = self.guards.layer2.next_change()
        in_use = self.guards.in_use
        return GuardReport(
            guards=guard_facts(self.guards, now),
            in_use=None if in_use is None else in_use.short_id,
            age_s=self.guards.age_s(now),
            layer2=len(self.guards.layer2.node_ids),
            layer2_change_s=None if change is None else max(0.0, change - now),
            set_size=len(self._paths.relays()),
            measured=self._paths.speeds.measured,
            build_timeout_s=self._times.timeout_s(MIDDLES_TO_GHOST + 2),
            table=self.rules.table,
            refusals=tuple(self._paths.refusals),
            suspects=suspicions(self.guards.suspects()),
        )

    # -- life ----------------------------------------------------------------------------------

    def retire(self, circuit: ClientCircuit) -> None:
        """Close a circuit once its shaped run has reached its bucket end."""
        self._retire(circuit, "finished")

    def _retire(self, circuit: ClientCircuit, reason: str) -> None:
        if self._nursery is not None:
            self._nursery.start_soon(circuit.aclose, reason)

    async def drain(self) -> None:
        """Wait until every circuit's shaped run has reached its bucket end; save the counters."""
        async with trio.open_nursery() as nursery:
            for circuit in list(self.circuits.values()):
                nursery.start_soon(circuit.aclose)
        if self._counted or self.guards.changed:
            await self._save()


def _from(candidates: Sequence[Advert], start: int) -> Iterator[Advert]:
    """The candidates in turn, each attempt beginning with the next."""
    for place in range(len(candidates)):
        yield candidates[(start + place) % len(candidates)]
