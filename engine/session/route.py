"""The way from one ask session to its ghost: a circuit of its own, rebuilt when it dies."""

from __future__ import annotations

from engine.circuit.client import CircuitState, ClientCircuit
from engine.circuit.pool import CircuitPool
from engine.circuit.stream import CircuitStream
from engine.directory.relays import RelaySet
from engine.errors import NoRoute
from engine.wire.frames import Begin, Purpose, encode_begin
from engine.wire.shape import ShapePlan

_BEGIN = encode_begin(Begin(Purpose.SESSION))
PURPOSE = "chat"


class GhostGone(NoRoute):
    """The ghost of a session is in no directory any more."""


class Route:
    """Hands out streams to one ghost; never shares its circuit with anything else."""

    def __init__(self, pool: CircuitPool, relays: RelaySet, ghost: bytes, plan: ShapePlan) -> None:
        self.circuit: ClientCircuit | None = None
        self.ghost = ghost
        self.plan = plan
        self._pool = pool
        self._relays = relays
        self._cells_before = (0, 0)

    async def open_stream(self) -> CircuitStream:
        """A stream to the ghost over the session's circuit, or over a new one."""
        circuit = self.circuit
        if circuit is None or circuit.state is not CircuitState.OPEN:
            circuit = await self._rebuild()
        return circuit.open_stream(_BEGIN)

    async def _rebuild(self) -> ClientCircuit:
        self._relays.reload()
        advert = self._relays.get(self.ghost)
        if advert is None:
            raise GhostGone(
                "The ghost of this session is no longer in the directory.",
                kept="Credit with it stays claimable; the question is kept in the chat.",
                hint="Ask again to use another ghost.",
            )
        self._cells_before = self.cells
        self.circuit = None
        self.circuit = await self._pool.build_to(advert, PURPOSE, self.plan)
        return self.circuit

    @property
    def cells(self) -> tuple[int, int]:
        """(up, down) over all circuits of this route."""
        up, down = self._cells_before
        if self.circuit is None:
            return up, down
        return up + self.circuit.cells_up, down + self.circuit.cells_down

    @property
    def hops(self) -> list[dict[str, str]]:
        """Role and short id of each hop, for the user's own eyes."""
        return [] if self.circuit is None else self.circuit.short_path

    @property
    def is_open(self) -> bool:
        """Whether a circuit of this route stands now."""
        return self.circuit is not None and self.circuit.state is CircuitState.OPEN

    @property
    def mark(self) -> object:
        """Changes with every cell that comes, and with the circuit."""
        return None if self.circuit is None else (id(self.circuit), self.circuit.cells_down)

    @property
    def in_run(self) -> bool:
        """True while a shaped run that will end goes on."""
        return self.circuit is not None and self.circuit.endpoint.in_run

    async def wait_quiet(self) -> None:
        """Return when the shaped run, if one goes on, has ended."""
        if self.circuit is not None:
            await self.circuit.endpoint.wait_quiet()

    def retire(self) -> None:
        """Close the circuit when its shaped run has reached its bucket end."""
        if self.circuit is not None:
            self._pool.retire(self.circuit)
            self.circuit = None

    def drop(self, reason: str) -> None:
        """Close the circuit at once; the next stream gets a new path."""
        if self.circuit is not None:
            self.circuit.close(reason)
