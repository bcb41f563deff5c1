"""The way a question takes now, in numbers: the user's own path and no other."""

from __future__ import annotations

from engine.control.protocol.circuits import Circuit as CircuitShape
from tui.app.text import age, percent, plural, took
from tui.notebook.link import Link
from tui.notebook.now import Now
from tui.notebook.view import Facts, Guarded, GuardedShelf, Table, View, Words
from tui.sizes import data_size


class Circuit(Guarded, CircuitShape, frozen=True):
    """One circuit. Hops are short ids; nobody's address is known here."""

    def _summary(self) -> str:
        return f"{self.purpose}, {self.state}, {plural(len(self.hops), 'hop')}"

    def _view(self) -> View:
        rows = [
            (hop.role, hop.id, hop.country or None, took(hop.built_ms) if hop.built_ms else None)
            for hop in self.hops
        ]
        padding = None if self.padding_share is None else percent(self.padding_share)
        shape = f"{self.shape_class}, a cell every {self.tick_ms} ms" if self.tick_ms else ""
        facts = Facts(
            [
                ("round trip", took(self.rtt_ms) if self.rtt_ms is not None else None),
                ("age", age(self.age_s)),
                ("sent", data_size(self.bytes_up)),
                ("received", data_size(self.bytes_down)),
                ("padding", padding),
                ("traffic shape", shape or self.shape_class),
                ("closed because", self.reason),
            ]
        )
        why = [Words(self.why, quiet=True)] if self.why else []
        title = f"Circuit for {self.purpose}, {self.state}"
        return View(title, [Table(("hop", "node", "land", "built"), rows), facts, *why])


class Circuits(GuardedShelf[Circuit]):
    """All circuits of this client."""

    __slots__ = ()

    def _view(self) -> View:
        rows = [
            (
                str(one.circuit_id),
                one.purpose,
                one.state,
                " → ".join(hop.id for hop in one.hops),
                took(one.rtt_ms) if one.rtt_ms is not None else None,
                age(one.age_s),
            )
            for one in self
        ]
        heads = ("circuit", "for", "state", "path", "round trip", "age")
        return View("", [Table(heads, rows, "No circuit is open.")])


class NoCircuit(Guarded):
    """There is no circuit for chats: one is built with the next question."""

    __slots__ = ()

    def __bool__(self) -> bool:
        return False

    def _summary(self) -> str:
        return "none is open for chats"

    def _view(self) -> View:
        return View("", [Words("No circuit is open for chats: the next question builds one.")])


class CircuitFace(Now[Circuit | NoCircuit]):
    """`await p.circuit` is the circuit that questions take now, `await p.circuit.all()` each."""

    def __init__(self, link: Link) -> None:
        super().__init__(self.now)
        self._link = link

    async def now(self) -> Circuit | NoCircuit:
        """The youngest open circuit for chats; something false when there is none."""
        chats = [one for one in await self.all() if one.purpose == "chat" and one.state == "open"]
        return min(chats, key=lambda one: one.age_s, default=None) or NoCircuit()

    async def all(self) -> Circuits:
        """Every circuit of this client, of whatever purpose."""
        return Circuits(await self._link.call_as(list[Circuit], "circuits"))

    async def rotate(self) -> None:
        """Give up the circuits that wait and build others; a chat keeps its ghost."""
        await self._link.call("circuit.rotate")
