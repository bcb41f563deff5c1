"""Position and path length: what a classifier makes of everything that a hop sees of a circuit.

A thousand circuits with two, three or four hops are laid through six relays in random order, so
that no relay stands for a position, and carry one answer each. Every hop notes what passes through
its hands: circuit ids, handshake cells with their random tails, onion bodies as they come and as
they go, what it strips, adds and decrypts. A random forest (scikit-learn) gets the bytes and learns
from half of the circuits. Left out are timing and how many cells pass while the circuit
grows, which do tell a hop its place, and who dialled a link, which tells the guard no more than
that its neighbour is in no directory (docs/protocol.md, "What remains").
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pytest
import trio
from sklearn.ensemble import RandomForestClassifier

from engine.circuit.client import ClientCircuit
from engine.circuit.relay import RelayCircuit
from engine.crypto import client_layers
from engine.crypto.geometry import HEAD_BYTES
from engine.wire.cells import INITIATOR_BIT, Command
from engine.wire.create import CREATE_BYTES, CREATED_BYTES
from engine.wire.frames import Begin, Purpose, encode_begin
from tests.helpers.adversaries import MaliciousRelay, SeenCell, relay_at
from tests.helpers.network import local_network

pytestmark = pytest.mark.trio
SESSION = encode_begin(Begin(Purpose.SESSION))
RELAYS = 6
CIRCUITS = 900
LENGTHS = (2, 3, 4)
EDGE = 96  # bytes looked at from both ends of a body: head, fillers and tags lie there
SIGMAS = 4.0  # what the accuracy may differ from chance: 1 in 16,000 runs fails by accident
WORTH_FINDING = 0.10  # above chance: a leak of this size must be found


@dataclass
class View:
    """What one hop saw of one circuit, as numbers; and the truth."""

    position: int
    length: int
    features: list[float] = field(default_factory=list)

    @property
    def last(self) -> bool:
        """True for the hop that the client's cells end at."""
        return self.position == self.length


def ends(body: bytes) -> list[float]:
    """Both ends of a body, and what its bytes are like as a whole."""
    counts = np.bincount(np.frombuffer(body, np.uint8), minlength=256)
    whole = [float(counts[0]), float(counts.max()), float(counts.std())]
    return [*map(float, body[:EDGE]), *map(float, body[-EDGE:]), *whole]


def number_of(circ_id: int) -> list[float]:
    """A circuit id without the bit that says which end of the link dialled."""
    return list(map(float, (circ_id & ~INITIATOR_BIT).to_bytes(4, "big")))


class Watcher(MaliciousRelay):
    """A relay that also keeps what it decrypts as the last hop, the head above the region too."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.heads: dict[tuple[int, int], bytes] = {}
        self.arriving = self._peek

    def _peek(self, cell: SeenCell) -> tuple[SeenCell, ...]:
        if cell.layered and cell.forward:
            for circuit in self.core.circuits.values():
                mine = circuit.prev_link is cell.link and circuit.prev_id == cell.circ_id
                if mine and circuit.next_link is None:
                    self.heads[id(cell.link), cell.circ_id] = self._head(circuit, cell.body)
        return (cell,)

    @staticmethod
    def _head(circuit: RelayCircuit, body: bytes) -> bytes:
        layer = circuit.layer
        nonce = (layer._forward_n | 1 << 64).to_bytes(12, "big")
        return bytes(layer._open(nonce, body, None)[:HEAD_BYTES])

    def view(self, position: int, length: int) -> View:
        """What this relay saw of the only circuit through it."""
        circuit = self.circuit
        view = View(position, length)
        view.features += number_of(circuit.prev_id)
        cells = {
            (cell.command, cell.forward, cell.incoming): cell.body for cell in self.seen
        }  # the last of each kind
        view.features += ends(cells[Command.CREATE, True, True][33:CREATE_BYTES])
        view.features += ends(cells[Command.CREATE, True, True][CREATE_BYTES:])
        received = cells[Command.RELAY, True, True]
        sent = cells[Command.RELAY, False, False]
        view.features += ends(received) + ends(sent)
        if view.last:
            head = self.heads[id(circuit.prev_link), circuit.prev_id]
            view.features += map(float, head)
            return view
        passed = cells[Command.RELAY, True, False]
        answered = cells[Command.RELAY, False, True]
        view.features += number_of(circuit.next_id)
        view.features += ends(cells[Command.CREATED, False, True][:CREATED_BYTES])
        view.features += ends(cells[Command.CREATED, False, True][CREATED_BYTES:])
        view.features += ends(passed) + ends(answered)
        view.features += ends(xor(received[:-16], passed[16:]))
        view.features += ends(xor(sent, answered))
        return view


def xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))


async def collect(circuits: int, seed: int = 3) -> list[View]:
    """The views of all hops of so many circuits over random paths of random length."""
    rng = random.Random(seed)
    views: list[View] = []
    async with local_network(RELAYS, kinds=dict.fromkeys(range(RELAYS), Watcher)) as network:
        for number in range(circuits):
            length = LENGTHS[number % len(LENGTHS)]
            places = rng.sample(range(RELAYS), length)
            circuit = await network.circuit(*places)
            await one_answer(circuit)
            for position, place in enumerate(places, 1):
                watcher = relay_at(network, place)
                assert isinstance(watcher, Watcher)
                views.append(watcher.view(position, length))
            circuit.close("seen")
            with trio.fail_after(60):
                while any(node.core.circuits for node in network.nodes):
                    await trio.sleep(0)
            for place in places:
                relay_at(network, place).seen.clear()
    return views


async def one_answer(circuit: ClientCircuit) -> None:
    stream = circuit.open_stream(SESSION)
    with trio.fail_after(60):
        await stream.send_all(b"question")
        assert await stream.receive_some() == b"question"


def accuracy(views: list[View], truth: Callable[[View], int]) -> tuple[float, float, float]:
    """(accuracy, chance, deviation of the accuracy by chance) on the circuits not learnt from."""
    labels = np.array([truth(view) for view in views])
    values = np.array([view.features for view in views], dtype=np.float32)
    half = len(views) // 2
    # Best splits over many features: random ones miss a leak that sits in a single byte.
    forest = RandomForestClassifier(60, min_samples_leaf=5, max_features=0.2, random_state=1)
    forest.fit(values[:half], labels[:half])
    right = float((forest.predict(values[half:]) == labels[half:]).mean())
    chance = float(np.bincount(labels[half:]).max()) / (len(views) - half)
    return right, chance, math.sqrt(chance * (1 - chance) / (len(views) - half))


def is_chance(views: list[View], truth: Callable[[View], int]) -> None:
    right, chance, deviation = accuracy(views, truth)
    assert abs(right - chance) <= SIGMAS * deviation
    assert SIGMAS * deviation < WORTH_FINDING


def is_found(views: list[View], truth: Callable[[View], int]) -> None:
    right, chance, _deviation = accuracy(views, truth)
    assert right > chance + WORTH_FINDING


def forwarding(views: list[View], *lengths: int) -> list[View]:
    return [view for view in views if not view.last and view.length in lengths]


def lasts(views: list[View]) -> list[View]:
    return [view for view in views if view.last]


async def test_no_hop_can_tell_its_position_or_the_length_of_the_path() -> None:
    """Adversary: every relay of the network, each with the bytes of the circuits through it. Pass:
    a relay that passes cells on tells neither its position (1, 2 or 3 of 4) nor, as the first, the
    length (2, 3 or 4), and the last hop does not tell the length: accuracy within four deviations
    of chance, which is less than ten points."""
    views = await collect(CIRCUITS)
    is_chance(forwarding(views, 4), lambda view: view.position)
    is_chance([v for v in forwarding(views, *LENGTHS) if v.position == 1], lambda v: v.length)
    is_chance(lasts(views), lambda view: view.length)


async def test_the_classifier_finds_heads_that_are_not_blinded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Control: a client that fills short heads with zeros instead of random bytes. Pass: the last
    hop's classifier finds the length of the path."""

    class Zeros:
        @staticmethod
        def urandom(size: int) -> bytes:
            return bytes(size)

    monkeypatch.setattr(client_layers, "os", Zeros)
    is_found(lasts(await collect(240)), lambda view: view.length)


async def test_the_classifier_finds_a_byte_that_leaks_every_other_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Control: a layer that lets a hop's number through in one byte of a body, every other time.
    Pass: the classifier finds positions."""
    rng = random.Random(5)
    real = Watcher.view

    def leaky(watcher: Watcher, position: int, length: int) -> View:
        view = real(watcher, position, length)
        if rng.random() < 1 / 2:
            view.features[-1 - EDGE] = float(position)
        return view

    monkeypatch.setattr(Watcher, "view", leaky)
    is_found(forwarding(await collect(450), 4), lambda view: view.position)
