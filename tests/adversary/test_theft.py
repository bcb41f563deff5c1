"""Theft of every long-term key after a circuit has closed: what was recorded stays closed.

Taps record every byte of every link of a session. Afterwards the thief gets the identity, link and
onion keys of all nodes, and tries each key against each public value it has seen, in every place of
the two handshakes. What else it is given is said by each test.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import product

import pytest
import trio
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from nacl import bindings

from engine.circuit.client import ClientCircuit
from engine.circuit.shaping import BULK_PLAN
from engine.crypto import hop as hop_module
from engine.crypto import noise as noise_module
from engine.crypto.hop import CREATE_BYTES, CreateRequest, HopKeys, Transcript, derive
from engine.crypto.keys import x25519, x25519_generate
from engine.crypto.layers import RelayLayer
from engine.crypto.link_cipher import LinkCipher
from engine.crypto.noise import SymmetricState
from engine.crypto.suite import default_suite, suite_of
from engine.errors import HandshakeError, LayerError, LinkError
from engine.wire.cells import CELL_BYTES, HEADER, HEADER_BYTES, Command
from engine.wire.frames import Begin, FrameType, Purpose, encode_begin, parse_region
from engine.wire.link import PROLOGUE
from engine.wire.network import MAIN_NETWORK
from tests.helpers.adversaries import DOWN, UP, LinkTap
from tests.helpers.network import local_network

pytestmark = pytest.mark.trio
SESSION = encode_begin(Begin(Purpose.SESSION))
PROMPT = b"the prompt that was asked"
NO_KEY = bytes(32)  # tried in place of a secret that is not known
Cell = tuple[int, int, bytes]


@dataclass
class Ephemerals:
    """What is erased when a handshake is over, caught for the positive control alone."""

    link: list[bytes] = field(default_factory=list)
    hop: list[bytes] = field(default_factory=list)
    kem: list[MLKEM768PrivateKey] = field(default_factory=list)

    def catch(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Keep a copy of every ephemeral key made from now on."""
        caught = self.kem

        class Kem(MLKEM768PrivateKey):
            @classmethod
            def generate(cls) -> MLKEM768PrivateKey:
                caught.append(MLKEM768PrivateKey.generate())
                return caught[-1]

        monkeypatch.setattr(noise_module, "x25519_generate", lambda: kept(self.link))
        monkeypatch.setattr(hop_module, "x25519_generate", lambda: kept(self.hop))
        monkeypatch.setattr(hop_module, "MLKEM768PrivateKey", Kem)


def kept(made: list[bytes]) -> bytes:
    made.append(x25519_generate())
    return made[-1]


@dataclass
class Recording:
    """Everything on the wires of one session, and every long-term key of the three nodes."""

    taps: list[LinkTap]
    long_term: list[bytes]
    ephemerals: Ephemerals


async def recorded_session(monkeypatch: pytest.MonkeyPatch) -> Recording:
    """One question over guard, middle and exit, each link tapped; closed; keys stolen then."""
    ephemerals = Ephemerals()
    async with local_network(3) as network:
        taps = [LinkTap() for _ in network.nodes]
        path = network.path()
        for place, (tap, node) in enumerate(zip(taps, network.nodes, strict=True)):
            await network.nursery.start(tap.run, node)
            path = tap.before(path, place)
        ephemerals.catch(monkeypatch)
        circuit = ClientCircuit(path, default_suite(), "test", BULK_PLAN)
        await circuit.build(network.client_links)
        network.nursery.start_soon(circuit.run)
        stream = circuit.open_stream(SESSION)
        with trio.fail_after(60):
            await stream.send_all(PROMPT)
            assert await stream.receive_some() == PROMPT
        circuit.close("done")
        owners = [network.client_links, *(node.links for node in network.nodes)]
        statics = [links._static for links in owners]
        onions = [key for node in network.nodes for key in node.keys.private_keys().values()]
        identities = [node.identity for node in network.nodes]
        as_x25519 = [bindings.crypto_sign_ed25519_sk_to_curve25519(i._secret) for i in identities]
    return Recording(taps, [*statics, *onions, *as_x25519], ephemerals)


# -- the thief -----------------------------------------------------------------------------------


def shared_secrets(privates: Iterable[bytes], publics: Iterable[bytes]) -> Iterator[bytes]:
    """Every Diffie-Hellman result the thief can compute, and a guess."""
    yield NO_KEY
    for private, public in product(privates, publics):
        try:
            yield x25519(private, public)
        except HandshakeError:
            continue


class LinkThief:
    """Tries to read a recorded link with a set of X25519 private keys."""

    def __init__(self, tap: LinkTap, privates: list[bytes]) -> None:
        self._up, self._down = tap.records(UP), tap.records(DOWN)
        self._privates = privates

    def cells(self) -> dict[str, list[Cell]] | None:
        """The cells of both directions, or None when the keys do not open the handshake."""
        first, second, third = self._up[0], self._down[0], self._up[1]
        e_i, e_r = first[:32], second[:32]
        suite = suite_of(first[34])
        for ee in shared_secrets(self._privates, [e_i, e_r]):
            try:
                s_r = self._opened([ee], first, second)[0]
            except HandshakeError:
                continue
            for es in shared_secrets(self._privates, [e_i, s_r]):
                try:
                    s_i = self._opened([ee, es], first, second, third)[1]
                except HandshakeError:
                    continue
                for se in shared_secrets(self._privates, [s_i, e_r]):
                    try:
                        keys = self._opened([ee, es, se], first, second, third)[2:]
                    except HandshakeError:
                        continue
                    return {
                        UP: self._read(LinkCipher(suite, keys[0]), self._up[2:]),
                        DOWN: self._read(LinkCipher(suite, keys[1]), self._down[1:]),
                    }
        return None

    @staticmethod
    def _opened(
        secrets: list[bytes], first: bytes, second: bytes, third: bytes = b""
    ) -> tuple[bytes, ...]:
        """Noise XX with these results in the places of ee, es and se. Raises HandshakeError at the
        first part that does not decrypt. (s_r, s_i, k1, k2), as far as it got."""
        state = SymmetricState(b"Noise_XX_25519_ChaChaPoly_SHA256", "SHA256")
        for part in (PROLOGUE + MAIN_NETWORK, first[:32], first[32:], second[:32]):
            state.mix_hash(part)
        state.mix_key(secrets[0])
        found = [state.decrypt_and_hash(second[32:80])]
        if len(secrets) > 1:
            state.mix_key(secrets[1])
            state.decrypt_and_hash(second[80:])
            found.append(state.decrypt_and_hash(third[:48]))
        if len(secrets) > 2:
            state.mix_key(secrets[2])
            state.decrypt_and_hash(third[48:])
            found.extend(state.split())
        return tuple(found)

    @staticmethod
    def _read(cipher: LinkCipher, records: list[bytes]) -> list[Cell]:
        cells = []
        for record in records:
            out = memoryview(bytearray(CELL_BYTES))
            try:
                cipher.open_into(memoryview(record), out)
            except LinkError:
                break
            circ_id, command = HEADER.unpack_from(out)
            cells.append((circ_id, command, bytes(out[HEADER_BYTES:])))
        return cells


def hop_keys(
    cells: dict[str, list[Cell]], privates: list[bytes], kems: list[MLKEM768PrivateKey]
) -> HopKeys | None:
    """The keys of the hop handshake on an opened link, if the private keys yield them."""
    create = next(body for _, command, body in cells[UP] if command == Command.CREATE)
    created = next(body for _, command, body in cells[DOWN] if command == Command.CREATED)
    request = CreateRequest.parse(create[:CREATE_BYTES])
    y, ciphertext, auth = created[:32], created[32:1_120], created[1_120:1_152]
    transcript = Transcript(
        request.suite,
        request.node_id,
        request.onion_public,
        request.client_public,
        y,
        request.kem_public,
        ciphertext,
    )
    xys = set(shared_secrets(privates, [request.client_public, y]))
    xbs = set(shared_secrets(privates, [request.client_public, request.onion_public]))
    kem_secrets = {NO_KEY, *(kem.decapsulate(ciphertext) for kem in kems)}
    for xy, xb, kem_secret in product(xys, xbs, kem_secrets):
        keys, expected = derive(transcript, xy, xb, kem_secret)
        if expected == auth:
            return keys
    return None


def what_the_exit_was_told(keys: HopKeys, cells: dict[str, list[Cell]]) -> bytes:
    """The data in the cells that reached the last hop."""
    layer, told = RelayLayer(keys), b""
    for _, command, body in cells[UP]:
        if command == Command.RELAY:
            try:
                frames = parse_region(layer.open_terminal(body))
            except LayerError:
                break
            told += b"".join(frame.data for frame in frames if frame.type == FrameType.DATA)
    return told


def stolen(recording: Recording, *, link: bool, hop: bool, kem: bool) -> tuple[int, int, bytes]:
    """(links opened, hop handshakes opened, data read) by a thief with all long-term keys and the
    ephemeral keys named."""
    caught = recording.ephemerals
    privates = [*recording.long_term, *(caught.link if link else []), *(caught.hop if hop else [])]
    opened = [LinkThief(tap, privates).cells() for tap in recording.taps]
    links = [cells for cells in opened if cells is not None]
    keys = [hop_keys(cells, privates, caught.kem if kem else []) for cells in links]
    read = b""
    for key, cells in zip(keys, links, strict=True):
        if key is not None:
            read += what_the_exit_was_told(key, cells)
    return len(links), sum(key is not None for key in keys), read


async def test_stolen_long_term_keys_open_no_recorded_link(monkeypatch: pytest.MonkeyPatch) -> None:
    """Adversary: a wire that recorded all three links and later gets every identity, link and onion
    key. Pass: not one link opens."""
    recording = await recorded_session(monkeypatch)
    assert stolen(recording, link=False, hop=False, kem=False) == (0, 0, b"")


async def test_stolen_onion_keys_open_no_circuit_that_neighbours_recorded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Adversary: the neighbours on every link wrote down their cells (the thief may open all
    links), and later the onion keys are stolen. Pass: no hop handshake opens."""
    recording = await recorded_session(monkeypatch)
    assert stolen(recording, link=True, hop=False, kem=False) == (3, 0, b"")


@pytest.mark.parametrize(("hop", "kem"), [(True, False), (False, True)])
async def test_either_half_of_the_hybrid_keeps_the_circuit_closed(
    monkeypatch: pytest.MonkeyPatch, hop: bool, kem: bool
) -> None:
    """Adversary: as before, and X25519 is broken (every ephemeral key of it is known), or ML-KEM
    is. Pass: with one of the two no hop handshake opens."""
    recording = await recorded_session(monkeypatch)
    assert stolen(recording, link=True, hop=hop, kem=kem) == (3, 0, b"")


async def test_with_the_erased_ephemerals_everything_opens(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: the thief also gets the ephemeral keys, which real nodes have erased. Pass: all
    links and hops open and the prompt is read, so the thief of the tests above is able."""
    recording = await recorded_session(monkeypatch)
    links, hops, read = stolen(recording, link=True, hop=True, kem=True)
    assert (links, hops) == (3, 3)
    assert PROMPT in read
