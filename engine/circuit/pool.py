"""The client's circuits: choosing a path, building with retries, keeping, rotating, reporting.

Circuits are isolated by purpose and tag: a chat session, the wallet and the directory never share
one. Guards are loaded from and saved to the encrypted store by the functions handed in.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from random import SystemRandom

import trio

from engine.circuit.client import CircuitState, ClientCircuit
from engine.circuit.path import Hop
from engine.circuit.shaping import ShapePlan
from engine.directory.guards import GuardList
from engine.directory.paths import choose_middles, to_hop
from engine.directory.relays import RelaySet
from engine.errors import CircuitClosed, NoRoute
from engine.link.manager import LinkManager
from engine.wire.advert import Advert, Role

BUILD_ATTEMPTS = 5
AVOID_S = 60.0  # how long a relay that just failed is passed over when others fit
MAX_AGE_S = 3_600.0  # a circuit older than this takes no new streams
EVENTS_KEPT = 50
MIDDLES_TO_GHOST = 2
MIDDLES_TO_RELAY = 1
MAILBOX_PURPOSE = "mailbox"


@dataclass(frozen=True)
class CircuitNote:
    """One line of the circuit pane's log. `ts` is unix seconds."""

    ts: float
    circuit_id: int
    purpose: str
    text: str


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
    ) -> None:
        self.notes: deque[CircuitNote] = deque(maxlen=EVENTS_KEPT)
        self.circuits: dict[int, ClientCircuit] = {}
        self.guards = guards
        self._links = links
        self._relays = relays
        self._suite = suite
        self._save_guards = save_guards
        self._on_change = on_change
        self._avoid: dict[bytes, tuple[float, int]] = {}  # until when, how suspect
        self._shared: dict[str, int] = {}
        self._locks: dict[str, trio.Lock] = {}
        self._next_id = 1
        self._rng = SystemRandom()
        self._nursery: trio.Nursery | None = None

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Own the circuits' tasks until cancelled."""
        try:
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                task_status.started()
                await trio.sleep_forever()
        finally:
            self._nursery = None

    # -- building ------------------------------------------------------------------------------

    async def build_to(self, ghost: Advert, purpose: str, plan: ShapePlan) -> ClientCircuit:
        """A fresh circuit guard, middle, middle, ghost. Raises NoRoute or CircuitClosed."""
        return await self._build(ghost, "ghost", MIDDLES_TO_GHOST, purpose, plan)

    async def build_to_relay(self, last: Advert, purpose: str, plan: ShapePlan) -> ClientCircuit:
        """A fresh circuit guard, middle, last. Raises NoRoute or CircuitClosed."""
        role = "mailbox" if purpose.startswith(MAILBOX_PURPOSE) else "exit"
        return await self._build(last, role, MIDDLES_TO_RELAY, purpose, plan)

    async def shared_exit(self, purpose: str, plan: ShapePlan) -> ClientCircuit:
        """The open circuit of `purpose` to an exit relay, built when there is none."""
        async with self._locks.setdefault(purpose, trio.Lock()):
            circuit = self.circuits.get(self._shared.get(purpose, 0))
            if circuit is not None and self._fresh(circuit):
                return circuit
            exits = self._relays.with_role(Role.MINT_EXIT)
            if not exits:
                raise NoRoute(
                    "No relay that reaches mints is known.",
                    kept="Nothing was sent; your ecash is untouched.",
                    hint="Check the directory with: peer2prompt network",
                )
            self._rng.shuffle(exits)
            avoided = self._avoided()
            exits.sort(key=lambda advert: avoided.get(advert.node_id, 0))
            circuit = await self._build(exits, "exit", MIDDLES_TO_RELAY, purpose, plan)
            self._shared[purpose] = next(k for k, v in self.circuits.items() if v is circuit)
            return circuit

    @staticmethod
    def _fresh(circuit: ClientCircuit) -> bool:
        return (
            circuit.state is CircuitState.OPEN
            and trio.current_time() - circuit.created_at < MAX_AGE_S
        )

    async def _build(
        self, last: Advert | list[Advert], role: str, middles: int, purpose: str, plan: ShapePlan
    ) -> ClientCircuit:
        candidates = last if isinstance(last, list) else [last]
        failure: CircuitClosed | None = None
        for attempt in range(BUILD_ATTEMPTS):
            path = self._choose_path(candidates[attempt % len(candidates)], role, middles)
            circuit = ClientCircuit(path, self._suite, purpose, plan, why=self._why(path))
            try:
                await self._attempt(circuit)
            except CircuitClosed as error:
                failure = error
                continue
            return circuit
        raise CircuitClosed(
            f"No circuit could be built in {BUILD_ATTEMPTS} attempts.",
            kept="Nothing was paid.",
            hint="Relays or the far end may be down; see: peer2prompt network",
        ) from failure

    def _choose_path(self, last: Advert, role: str, middles: int) -> tuple[Hop, ...]:
        """Exit first, then the guard, then the middles. Raises NoRoute."""
        self._relays.reload()
        now = time.time()
        relays = self._relays.with_role(Role.RELAY)
        guard = self.guards.choose(relays, [last], now=now, rng=self._rng)
        middle = choose_middles(
            relays, [last, guard], middles, avoid=self._avoided(), rng=self._rng
        )
        hops = [(guard, "guard"), *((advert, "middle") for advert in middle), (last, role)]
        return tuple(to_hop(advert, name, int(now)) for advert, name in hops)

    def _why(self, path: tuple[Hop, ...]) -> str:
        """How this path came about, in a sentence for the user."""
        middles = sum(hop.role == "middle" for hop in path)
        return (
            f"The {path[-1].role} was chosen first; the guard is the one this node keeps; "
            f"{middles} of {len(self._relays.with_role(Role.RELAY))} relays were drawn as middles, "
            "none sharing a network, family or operator with another hop."
        )

    async def _attempt(self, circuit: ClientCircuit) -> None:
        nursery = self._nursery
        if nursery is None:
            raise CircuitClosed("The node is shutting down.")
        circuit_id = self._next_id
        self._next_id += 1
        self.circuits[circuit_id] = circuit
        self._note(circuit_id, circuit, "building", "building a new path")
        guard = circuit.path[0].node_id
        try:
            await circuit.build(self._links)
        except CircuitClosed:
            del self.circuits[circuit_id]
            self._note(circuit_id, circuit, "closed", circuit.reason)
            self._blame(circuit)
            await self._save_guards(self.guards.dump())
            raise
        except BaseException:
            self.circuits.pop(circuit_id, None)
            raise
        if not self.guards.in_use or not self.guards.in_use.circuits:
            self.guards.succeeded(guard)
            await self._save_guards(self.guards.dump())
        else:
            self.guards.succeeded(guard)
        for hop in circuit.path:
            self._avoid.pop(hop.node_id, None)
        self._note(circuit_id, circuit, "open", f"open for {circuit.purpose}")
        nursery.start_soon(self._own, circuit_id, circuit)

    def check_network(self) -> None:
        """Raise NoRoute when no path to any ghost would satisfy the rules."""
        relays = self._relays.with_role(Role.RELAY)
        for ghost in self._relays.with_role(Role.GHOST):
            choose_middles(relays, [ghost], MIDDLES_TO_GHOST + 1, avoid={}, rng=self._rng)

    def _blame(self, circuit: ClientCircuit) -> None:
        """Pass over the hop that failed and, as it may have lied, less so the one before it."""
        built = circuit.hops_built
        if built == 0:
            self.guards.failed(circuit.path[0].node_id, time.time())
            return
        self._suspect(circuit.path[built].node_id, 2)
        if built > 1:
            self._suspect(circuit.path[built - 1].node_id, 1)

    def _suspect(self, node_id: bytes, weight: int) -> None:
        _until, before = self._avoid.get(node_id, (0.0, 0))
        self._avoid[node_id] = (trio.current_time() + AVOID_S, before + weight)

    def _avoided(self) -> dict[bytes, int]:
        now = trio.current_time()
        self._avoid = {node: entry for node, entry in self._avoid.items() if entry[0] > now}
        return {node: weight for node, (_until, weight) in self._avoid.items()}

    async def _own(self, circuit_id: int, circuit: ClientCircuit) -> None:
        try:
            await circuit.run()
        finally:
            self.circuits.pop(circuit_id, None)
            if circuit.tampered:  # whoever did it, the guard could have: it pays
                self.guards.failed(circuit.path[0].node_id, time.time())
            self._note(circuit_id, circuit, "closed", circuit.reason)

    def _note(self, circuit_id: int, circuit: ClientCircuit, state: str, text: str) -> None:
        self.notes.append(CircuitNote(time.time(), circuit_id, circuit.purpose, text))
        self._on_change(circuit_id, state, text)

    # -- life ----------------------------------------------------------------------------------

    def retire(self, circuit: ClientCircuit) -> None:
        """Close a circuit once its shaped run has reached its bucket end."""
        if self._nursery is not None:
            self._nursery.start_soon(circuit.aclose)

    async def drain(self) -> None:
        """Wait until every circuit's shaped run has reached its bucket end."""
        async with trio.open_nursery() as nursery:
            for circuit in list(self.circuits.values()):
                nursery.start_soon(circuit.aclose)
