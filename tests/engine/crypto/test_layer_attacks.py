"""Attacks on the onion layers: tampering, replay, reordering, drops, reflection, role confusion,
tagging in both directions, and what the position of a hop shows."""

from __future__ import annotations

import os
import random
from collections.abc import Callable

import pytest

from engine.crypto.geometry import HEAD_BYTES
from engine.crypto.layers import RelayLayer
from engine.crypto.ratchet import Ratchet
from engine.crypto.suite import Suite, new_aead
from engine.errors import LayerError
from tests.engine.crypto.support import Path4, fresh_body, padded, shake

AES, CHACHA = Suite.AES_256_GCM, Suite.CHACHA20_POLY1305
both = pytest.mark.parametrize("suite", [AES, CHACHA])


def _flip(body: memoryview, position: int, bit: int = 0) -> None:
    body[position] ^= 1 << bit


def _deliver(path: Path4, hop: int, body: memoryview) -> memoryview | bytes:
    if hop == len(path.relays) - 1:
        return path.relays[hop].open_terminal(body)
    return path.pass_on(hop, body)


@both
@pytest.mark.parametrize("tamperer", [0, 1, 2])
@pytest.mark.parametrize("position", [0, 15, 16, 47, 48, 1_000, 2_007, 2_008, 2_023])
def test_a_changed_bit_dies_at_the_next_honest_hop(
    suite: Suite, tamperer: int, position: int
) -> None:
    path = Path4([suite] * 4)
    path.forward(b"before")
    body = path.seal(b"the prompt")
    for hop in range(tamperer + 1):
        body = path.pass_on(hop, body)
    _flip(body, position, position % 8)
    with pytest.raises(LayerError):
        _deliver(path, tamperer + 1, body)
    with pytest.raises(LayerError):  # and the hop has erased its keys
        path.relays[tamperer + 1].seal_backward_into(b"", fresh_body())


@both
def test_forward_tagging_reaches_nobody(suite: Suite) -> None:
    """A guard that marks cells for a colluding exit: the honest middle rejects every one."""
    rng = random.Random(7)
    caught = 0
    for _ in range(200):
        path = Path4([suite] * 4)
        body = path.pass_on(0, path.seal(os.urandom(100)))
        _flip(body, rng.randrange(2_024), rng.randrange(8))
        try:
            path.pass_on(1, body)
        except LayerError:
            caught += 1
    assert caught == 200


@both
@pytest.mark.parametrize("tamperer", [0, 1, 2, 3])
def test_backward_tagging_is_seen_by_the_client(suite: Suite, tamperer: int) -> None:
    path = Path4([suite] * 4)
    assert path.backward(b"before") == padded(b"before")
    body = fresh_body()
    path.relays[3].seal_backward_into(b"answer", body)
    for hop in (2, 1, 0):
        if hop == tamperer:
            _flip(body, 1_234)
        out = fresh_body()
        path.relays[hop].add_backward_into(body, out)
        body = out
    if tamperer == 3:
        _flip(body, 1_234)
    with pytest.raises(LayerError):
        path.client.open(body)


@both
def test_backward_tag_is_not_recognisable_past_an_honest_hop(suite: Suite) -> None:
    """The exit sends a known pattern; behind one honest hop the guard sees uniform noise."""
    _, keys = shake(suite)
    honest = RelayLayer(keys)
    pattern = b"\xaa" * 2_024
    seen = []
    for _ in range(64):
        out = fresh_body()
        honest.add_backward_into(pattern, out)
        seen.append(bytes(out))
    assert len(set(seen)) == 64
    assert _looks_uniform(b"".join(seen))


@both
@pytest.mark.parametrize("hop", [0, 1, 2, 3])
def test_replay_dies_at_once(suite: Suite, hop: int) -> None:
    path = Path4([suite] * 4)
    body = path.seal(b"once")
    for before in range(hop):
        body = path.pass_on(before, body)
    _deliver(path, hop, body)
    with pytest.raises(LayerError):
        _deliver(path, hop, body)


@both
@pytest.mark.parametrize("hop", [0, 1, 2, 3])
def test_reordering_and_dropping_die_at_once(suite: Suite, hop: int) -> None:
    for skip in (1, 2):
        path = Path4([suite] * 4)
        bodies = [path.seal(bytes([i])) for i in range(3)]
        for before in range(hop):
            bodies = [path.pass_on(before, body) for body in bodies]
        with pytest.raises(LayerError):
            _deliver(path, hop, bodies[skip])


@both
def test_backward_replay_reorder_and_drop_die_at_the_client(suite: Suite) -> None:
    first_of: list[Callable[[list[memoryview]], list[memoryview]]] = [
        lambda cells: [cells[0], cells[0]],
        lambda cells: [cells[1]],
        lambda cells: [cells[0], cells[2]],
    ]
    for order in first_of:
        path = Path4([suite] * 4)
        cells = [path.backward_bodies(bytes([i]))[-1] for i in range(3)]
        *good, bad = order(cells)
        for cell in good:
            path.client.open(cell)
        with pytest.raises(LayerError):
            path.client.open(bad)


@both
def test_a_replay_in_the_next_generation_dies(suite: Suite) -> None:
    path = Path4([suite])
    first = bytes(path.seal(b"first"))
    path.relays[0].open_terminal(first)
    for _ in range(1_023):
        path.relays[0].open_terminal(path.seal(b""))
    with pytest.raises(LayerError):
        path.relays[0].open_terminal(first)


@both
def test_reflected_cells_do_not_verify(suite: Suite) -> None:
    """A cell sent back the way it came, in either direction."""
    path = Path4([suite])
    forward = bytes(path.seal(b"to the hop"))
    with pytest.raises(LayerError):
        path.client.open(forward)
    path = Path4([suite])
    backward = bytes(path.backward_bodies(b"to the client")[-1])
    with pytest.raises(LayerError):
        path.relays[0].open_terminal(backward)
    path = Path4([suite] * 2)
    with pytest.raises(LayerError):
        path.pass_on(0, path.backward_bodies(b"to the client")[-1])


@both
def test_a_cell_for_one_role_does_not_pass_in_the_other(suite: Suite) -> None:
    """A forwarding hop cannot be made to read a cell as its own, nor the reverse."""
    path = Path4([suite] * 2)
    with pytest.raises(LayerError):
        path.relays[0].open_terminal(path.seal(b"for hop two"))
    path = Path4([suite])
    with pytest.raises(LayerError):
        path.pass_on(0, path.seal(b"for hop one"))


@both
def test_cells_of_another_circuit_do_not_verify(suite: Suite) -> None:
    one, other = Path4([suite] * 4), Path4([suite] * 4)
    with pytest.raises(LayerError):
        other.pass_on(0, one.seal(b"injected"))


@both
@pytest.mark.parametrize("length", [0, 15, 16, 2_023])
def test_bodies_of_another_size_do_not_verify(suite: Suite, length: int) -> None:
    path = Path4([suite])
    with pytest.raises(LayerError):
        path.relays[0].open_terminal(bytes(length))
    with pytest.raises(LayerError):
        path.client.open(bytes(length))


@both
def test_client_refuses_an_exit_that_does_not_pad_with_zeros(suite: Suite) -> None:
    client_keys, hop_keys = shake(suite)
    path = Path4([])
    path.client.add_hop(client_keys)
    key, _aux = Ratchet(hop_keys.backward).next_generation()
    plain = bytes(1_960) + b"covert".ljust(48, b"\0")
    body = new_aead(suite, key).encrypt((2 << 64).to_bytes(12, "big"), plain, None)
    with pytest.raises(LayerError, match="padded"):
        path.client.open(body)


# -- position ------------------------------------------------------------------------------------


def _looks_uniform(sample: bytes) -> bool:
    """A chi-squared test over byte values, far beyond chance: 255 degrees of freedom, mean 255,
    deviation 22.6; six deviations either way."""
    expected = len(sample) / 256
    counts = [0] * 256
    for value in sample:
        counts[value] += 1
    chi = sum((count - expected) ** 2 / expected for count in counts)
    return 255 - 6 * 22.6 < chi < 255 + 6 * 22.6


@both
def test_bodies_have_no_structure_at_any_position(suite: Suite) -> None:
    """The region is all zeros, the worst case; every hop sees noise, first, middle and last."""
    path = Path4([suite] * 4)
    by_hop: list[list[bytes]] = [[], [], [], []]
    for _ in range(200):
        for hop, body in enumerate(path.forward(b"")[:-1]):
            by_hop[hop].append(body)
    for bodies in by_hop:
        assert _looks_uniform(b"".join(body[:64] for body in bodies))
        assert _looks_uniform(b"".join(body[-64:] for body in bodies))
        assert _looks_uniform(b"".join(bodies))
    every = [block for hop in by_hop for body in hop for block in (body[:16], body[-16:])]
    assert len(set(every)) == len(every)


@both
def test_what_a_hop_strips_and_adds_looks_alike_everywhere(suite: Suite) -> None:
    """The plaintext a hop decrypts, where an inner structure would show first."""
    path = Path4([suite] * 4)
    plain: list[list[bytes]] = [[], [], []]
    for _ in range(150):
        body = path.seal(b"")
        for hop in range(3):
            body = path.pass_on(hop, body)
            plain[hop].append(bytes(body[16:]))  # without the filler this hop added itself
    for cells in plain:
        assert _looks_uniform(b"".join(cells))
        assert _looks_uniform(b"".join(cell[:HEAD_BYTES] for cell in cells))


@both
@pytest.mark.parametrize("hops", [1, 2, 3, 4])
def test_the_last_hop_cannot_tell_the_path_length(suite: Suite, hops: int) -> None:
    """The head above the region is noise whether it holds no filler or three."""
    path = Path4([suite] * (hops - 1))
    client_keys, hop_keys = shake(suite)
    path.client.add_hop(client_keys)
    key, _aux = Ratchet(hop_keys.forward).next_generation()
    aead = new_aead(suite, key)
    heads = []
    for n in range(300):
        body = path.seal(b"")
        for hop in range(hops - 1):
            body = path.pass_on(hop, body)
        plain = aead.decrypt(((1 << 64) | n).to_bytes(12, "big"), body, None)
        heads.append(plain[:HEAD_BYTES])
        assert plain[HEAD_BYTES:] == bytes(1_960)
    assert _looks_uniform(b"".join(heads))
    assert len(set(heads)) == len(heads)


@both
def test_guard_and_exit_share_no_bytes(suite: Suite) -> None:
    """With one honest hop between them, nothing in the guard's view appears in the exit's."""
    path = Path4([suite] * 4)
    for _ in range(50):
        first, second, third, last, _region = path.forward(os.urandom(1_960))
        in_guard = {first[i : i + 8] for i in range(2_017)}
        in_exit = {last[i : i + 8] for i in range(2_017)}
        assert not in_guard & in_exit
        # Neighbours do share the bytes one hands to the other, shifted by a tag: second and third
        # are there to show that it is the honest hop between them that breaks the chain.
        assert second[16:] not in third
