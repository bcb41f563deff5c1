"""Key erasure: after close, no key of a circuit or link can be reached from any live object.

Every key that the code derives is noted (masked, so that the note is not a find), and then looked
for in two ways: in all objects that the garbage collector can reach, and in the memory of the
process, where freed blocks may keep copies for a while (the limit is stated and tested).
"""

from __future__ import annotations

import gc
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import trio
import trio.testing
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

from engine.circuit.client import ClientCircuit
from engine.crypto import hop, kdf, link_cipher, ratchet
from engine.wire.frames import Begin, Purpose, encode_begin
from tests.helpers.network import LocalNetwork, local_network

pytestmark = pytest.mark.trio
SESSION = encode_begin(Begin(Purpose.SESSION))
KEY_BYTES = 32
MASK = b"\x5a" * KEY_BYTES


class Noted:
    """The keys derived while it listens, masked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *modules: ModuleType) -> None:
        self._masked: set[bytes] = set()
        for module in modules:
            monkeypatch.setattr(module, "hkdf_expand", self._expand)

    def _expand(self, prk: bytes, info: bytes, length: int = KEY_BYTES) -> bytes:
        key = kdf.hkdf_expand(prk, info, length)
        if info not in (hop._AUTH_LABEL, hop._TAG_LABEL):  # neither is a secret between hops
            self._masked.add(masked(key))
        return key

    def __len__(self) -> int:
        return len(self._masked)

    def holds(self, data: bytes) -> bool:
        """True when `data` is one of the keys."""
        return len(data) == KEY_BYTES and masked(data) in self._masked

    def in_clear(self) -> Iterator[bytes]:
        """The keys, each for as long as it is looked for."""
        return (masked(key) for key in self._masked)

    def some(self, count: int) -> Noted:
        """That many of the keys noted so far: each costs a pass over all memory."""
        copy = object.__new__(Noted)
        copy._masked = set(sorted(self._masked)[:count])
        return copy


def masked(key: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(key, MASK, strict=True))


def live_objects() -> Iterator[object]:
    """Every object reachable from those that the collector knows, suspended tasks included."""
    gc.collect()
    seen: set[int] = set()
    waiting: list[object] = gc.get_objects()
    while waiting:
        thing = waiting.pop()
        if id(thing) in seen:
            continue
        seen.add(id(thing))
        yield thing
        waiting.extend(gc.get_referents(thing))


def reachable(noted: Noted) -> tuple[int, int]:
    """(keys, AEAD objects) that live objects hold."""
    keys = ciphers = 0
    for thing in live_objects():
        if isinstance(thing, bytes | bytearray):
            keys += noted.holds(bytes(thing))
        elif isinstance(thing, AESGCM | ChaCha20Poly1305):
            ciphers += 1
    return keys, ciphers


async def used_circuit(network: LocalNetwork) -> ClientCircuit:
    """A circuit that has carried enough to ratchet, with a stream still open."""
    circuit = await network.circuit()
    stream = circuit.open_stream(SESSION)
    with trio.fail_after(60):
        await stream.send_all(b"question")
        await stream.receive_some()
    return circuit


async def closed(network: LocalNetwork, circuit: ClientCircuit) -> None:
    circuit.close("done")
    with trio.fail_after(60):
        while any(node.core.circuits for node in network.nodes):
            await trio.sleep(0.01)
    await trio.testing.wait_all_tasks_blocked()


async def test_no_live_object_holds_a_key_of_a_closed_circuit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Adversary: reads every live object of client and relays after a circuit closed. Pass: none
    of the chain, cell and stream keys of any hop is among them, and no AEAD object more than before
    the circuit; while it was open both were found (the control)."""
    noted = Noted(monkeypatch, hop, ratchet)
    async with local_network(3) as network:
        await closed(network, await used_circuit(network))
        _, before = reachable(noted)
        circuit = await used_circuit(network)
        keys, ciphers = reachable(noted)
        assert keys >= 3 * 2 * 2  # the chains of three hops, two directions, two ends
        assert ciphers >= before + 12
        await closed(network, circuit)
        del circuit
        assert reachable(noted) == (0, before)


async def test_a_circuit_torn_down_by_force_leaves_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Adversary: cuts the links under an open circuit, so that nobody says goodbye. Pass: as
    above, at every hop."""
    noted = Noted(monkeypatch, hop, ratchet)
    async with local_network(3) as network:
        circuit = await used_circuit(network)
        for link in network.nodes[1].links.links:
            link.close()
        with trio.fail_after(60):
            await circuit.closed_event.wait()
        await closed(network, circuit)
        del circuit
        assert reachable(noted)[0] == 0


async def test_no_live_object_holds_a_key_of_a_closed_link(monkeypatch: pytest.MonkeyPatch) -> None:
    """Adversary: reads every live object after all links closed. Pass: no Noise or link key."""
    noted = Noted(monkeypatch, hop, ratchet, link_cipher)
    split = link_cipher.LinkCipher.__init__

    def init(cipher: link_cipher.LinkCipher, suite: object, key: bytes) -> None:
        noted._masked.add(masked(key))
        split(cipher, suite, key)  # type: ignore[arg-type]

    monkeypatch.setattr(link_cipher.LinkCipher, "__init__", init)
    async with local_network(3) as network:
        circuit = await used_circuit(network)
        assert reachable(noted)[0] > 6
        await closed(network, circuit)
        del circuit
        for links in [network.client_links, *(node.links for node in network.nodes)]:
            for link in links.links:
                link.close()
        await trio.testing.wait_all_tasks_blocked()
        del links, link
        assert len(noted) > 12
        assert reachable(noted)[0] == 0


def writable_memory() -> Iterator[bytes]:
    """The writable private memory of this process, piece by piece."""
    maps = Path("/proc/self/maps").read_text().splitlines()
    with Path("/proc/self/mem").open("rb", buffering=0) as memory:
        for line in maps:
            found = re.match(r"([0-9a-f]+)-([0-9a-f]+) rw.p \S+ \S+ \S+\s*(\S*)", line)
            if found is None or found[3].startswith("["):
                continue
            start, end = int(found[1], 16), int(found[2], 16)
            memory.seek(start)
            try:
                yield memory.read(end - start)
            except OSError:
                continue


def copies(noted: Noted) -> int:
    """How often the keys lie in the memory of this process."""
    pieces = list(writable_memory())
    return sum(piece.count(key) for key in noted.in_clear() for piece in pieces)


async def test_copies_in_freed_memory_go_when_it_is_used_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Adversary: reads the whole memory of the process. The limit: Python cannot wipe a bytes
    object, so keys of a circuit that has just closed are still found in freed memory. Pass: after
    thirty more circuits nearly all of that memory has been used again and at most one of six keys
    is left; while the circuit was open the search found them (the control)."""
    noted = Noted(monkeypatch, hop, ratchet)
    async with local_network(3) as network:
        circuit = await used_circuit(network)
        keys = noted.some(6)
        assert copies(keys) >= len(keys)
        await closed(network, circuit)
        del circuit
        for _ in range(30):
            await closed(network, await used_circuit(network))
        assert copies(keys) <= 1
