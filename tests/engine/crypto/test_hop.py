"""The hop handshake: agreement, binding of every field, replay, bad points, key erasure."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.crypto.hop import (
    CREATE_BYTES,
    CREATED_BYTES,
    ClientHop,
    CreateRequest,
    server_hop,
    server_respond,
)
from engine.crypto.keys import x25519_generate, x25519_public
from engine.crypto.layers import RelayLayer
from engine.crypto.replay import HandshakeReplayCache
from engine.crypto.suite import Suite
from engine.errors import HandshakeError, LayerError
from tests.engine.crypto.support import Path4, Server, shake
from tests.engine.crypto.test_kdf_keys import NOT_CANONICAL, SMALL_ORDER

X_AT = 1 + 32 + 32
EK_AT = X_AT + 32


def test_sizes_are_those_of_the_document() -> None:
    assert CREATE_BYTES == 1_305
    assert CREATED_BYTES == 1_152


@pytest.mark.parametrize("suite", list(Suite))
def test_both_sides_agree(suite: Suite) -> None:
    client, hop = shake(suite)
    assert client == hop
    assert client.suite is suite
    assert len({client.forward, client.backward, client.circuit_tag}) == 3


def test_every_handshake_has_keys_of_its_own() -> None:
    server = Server()
    keys = [shake(1, server)[0] for _ in range(3)]
    assert len({k.forward for k in keys}) == len({k.circuit_tag for k in keys}) == 3


@pytest.mark.parametrize("position", [0, X_AT - 1, X_AT, X_AT + 5, EK_AT, EK_AT + 1_183])
def test_a_create_changed_on_the_way_fails(position: int) -> None:
    server = Server()
    state, payload = ClientHop.start(1, server.node_id, server.onion_public)
    changed = bytearray(payload)
    changed[position] ^= 1
    with pytest.raises(HandshakeError):
        state.finish(server.answer(bytes(changed))[0])


@pytest.mark.parametrize("position", [0, 31, 32, 600, 32 + 1_088, CREATED_BYTES - 1])
def test_a_created_changed_on_the_way_fails(position: int) -> None:
    server = Server()
    state, payload = ClientHop.start(1, server.node_id, server.onion_public)
    changed = bytearray(server.answer(payload)[0])
    changed[position] ^= 1
    with pytest.raises(HandshakeError):
        state.finish(bytes(changed))


def test_suite_cannot_be_changed_on_the_way() -> None:
    """Downgrade, in either direction: the suite is part of the transcript."""
    for asked, forged in ((1, 2), (2, 1)):
        server = Server()
        state, payload = ClientHop.start(asked, server.node_id, server.onion_public)
        created, _keys = server.answer(bytes([forged]) + payload[1:])
        with pytest.raises(HandshakeError, match="prove"):
            state.finish(created)


@pytest.mark.parametrize("suite", [0, 3, 255])
def test_unknown_suites_are_refused(suite: int) -> None:
    server = Server()
    with pytest.raises(HandshakeError, match="suite"):
        ClientHop.start(suite, server.node_id, server.onion_public)
    _, payload = ClientHop.start(1, server.node_id, server.onion_public)
    with pytest.raises(HandshakeError, match="suite"):
        server.answer(bytes([suite]) + payload[1:])


def test_a_hop_refuses_what_is_not_meant_for_it() -> None:
    server = Server()
    _, payload = ClientHop.start(1, os.urandom(32), server.onion_public)
    with pytest.raises(HandshakeError, match="another node"):
        server.answer(payload)
    _, payload = ClientHop.start(1, server.node_id, x25519_public(x25519_generate()))
    with pytest.raises(HandshakeError, match="old onion key"):
        server.answer(payload)


def test_a_middle_cannot_answer_for_the_next_hop() -> None:
    """It knows everything in CREATE, and holds an onion key of its own, but not the next one's."""
    victim, middle = Server(), Server()
    state, payload = ClientHop.start(1, victim.node_id, victim.onion_public)
    request = CreateRequest.parse(payload)
    forged, _keys = server_respond(
        request, middle.onion_private, x25519_generate(), os.urandom(32), os.urandom(1_088)
    )
    with pytest.raises(HandshakeError, match="prove"):
        state.finish(forged)


def test_an_answer_of_another_handshake_is_refused() -> None:
    server = Server()
    state, _payload = ClientHop.start(1, server.node_id, server.onion_public)
    _other, payload = ClientHop.start(1, server.node_id, server.onion_public)
    with pytest.raises(HandshakeError, match="prove"):
        state.finish(server.answer(payload)[0])


def test_two_nodes_with_one_onion_key_are_told_apart() -> None:
    """Unknown key share: an onion key copied into another node's advert proves nothing there."""
    honest = Server()
    thief = os.urandom(32)
    state, payload = ClientHop.start(1, thief, honest.onion_public)
    with pytest.raises(HandshakeError):
        honest.answer(payload)
    rewritten = payload[:1] + honest.node_id + payload[33:]
    created, _keys = honest.answer(rewritten)
    with pytest.raises(HandshakeError, match="prove"):
        state.finish(created)


@pytest.mark.parametrize("point", SMALL_ORDER + NOT_CANONICAL)
def test_bad_points_are_refused_by_both_sides(point: str) -> None:
    server = Server()
    bad = bytes.fromhex(point)
    state, payload = ClientHop.start(1, server.node_id, server.onion_public)
    with pytest.raises(HandshakeError):
        server.answer(payload[:X_AT] + bad + payload[EK_AT:])
    created, _keys = server.answer(payload)
    with pytest.raises(HandshakeError):
        state.finish(bad + created[32:])


@pytest.mark.parametrize("point", SMALL_ORDER)
def test_a_small_order_onion_key_is_refused(point: str) -> None:
    server = Server()
    state, payload = ClientHop.start(1, server.node_id, bytes.fromhex(point))
    assert len(payload) == CREATE_BYTES
    with pytest.raises(HandshakeError, match="small order"):
        state.finish(x25519_public(x25519_generate()) + bytes(CREATED_BYTES - 32))


@pytest.mark.parametrize("point", NOT_CANONICAL)
def test_a_non_canonical_onion_key_is_never_used(point: str) -> None:
    with pytest.raises(HandshakeError, match="malformed"):
        ClientHop.start(1, os.urandom(32), bytes.fromhex(point))


def test_a_malformed_kem_key_is_refused() -> None:
    server = Server()
    _, payload = ClientHop.start(1, server.node_id, server.onion_public)
    with pytest.raises(HandshakeError, match="ML-KEM"):
        server.answer(payload[:EK_AT] + b"\xff" * 1_184 + bytes(24))


# -- replay --------------------------------------------------------------------------------------


def test_replay_is_refused_while_the_key_lives() -> None:
    server = Server()
    _, payload = ClientHop.start(1, server.node_id, server.onion_public)
    server.answer(payload)
    with pytest.raises(HandshakeError, match="replayed"):
        server.answer(payload)


def test_replay_with_another_kem_key_or_suite_is_a_replay() -> None:
    server = Server()
    _, payload = ClientHop.start(1, server.node_id, server.onion_public)
    _, other = ClientHop.start(1, server.node_id, server.onion_public)
    server.answer(payload)
    for again in (payload[:EK_AT] + other[EK_AT:], bytes([2]) + payload[1:]):
        with pytest.raises(HandshakeError, match="replayed"):
            server.answer(again)
    server.answer(other)


def test_replay_cannot_be_disguised_by_the_unused_top_bit() -> None:
    server = Server()
    _, payload = ClientHop.start(1, server.node_id, server.onion_public)
    server.answer(payload)
    disguised = bytearray(payload)
    disguised[EK_AT - 1] |= 0x80
    with pytest.raises(HandshakeError, match="canonical"):
        server.answer(bytes(disguised))


def test_replay_in_and_after_the_epoch() -> None:
    """After its key is forgotten a handshake is refused for its key, not for being known."""
    server = Server()
    _, payload = ClientHop.start(1, server.node_id, server.onion_public)
    server.answer(payload)
    assert server.cache.count(server.onion_public) == 1
    server.cache.forget(server.onion_public)
    assert server.cache.count(server.onion_public) == 0
    successor = x25519_generate()
    with pytest.raises(HandshakeError, match="old onion key"):
        server_hop(payload, server.node_id, {x25519_public(successor): successor}, server.cache)


def test_replay_after_a_restart_yields_a_circuit_nobody_can_use() -> None:
    """A restarted hop has an empty cache and the same onion key. The recorded handshake is
    answered, with fresh randomness, so the recorded cells do not open and the recorded keys,
    were they to leak, do not fit."""
    server = Server()
    state, payload = ClientHop.start(1, server.node_id, server.onion_public)
    created, _keys = server.answer(payload)
    path = Path4([])
    old_keys = state.finish(created)
    path.client.add_hop(old_keys)
    recorded = bytes(path.seal(b"extend to somewhere"))
    server.cache = HandshakeReplayCache()
    _created, new_keys = server.answer(payload)
    assert new_keys.forward != old_keys.forward
    with pytest.raises(LayerError):
        RelayLayer(new_keys).open_terminal(recorded)


def test_the_cache_is_bounded_and_never_silences_the_hop() -> None:
    """Whoever fills it makes the hop forget the oldest half, not refuse honest clients."""
    server = Server(cache=HandshakeReplayCache(limit=8))
    payloads = [ClientHop.start(1, server.node_id, server.onion_public)[1] for _ in range(30)]
    for payload in payloads:
        server.answer(payload)
        assert server.cache.count(server.onion_public) <= 8
    for payload in payloads[-4:]:
        with pytest.raises(HandshakeError, match="replayed"):
            server.answer(payload)
    server.answer(payloads[0])  # forgotten; a circuit nobody can use, as after a restart


def test_a_refused_handshake_leaves_no_trace() -> None:
    server = Server()
    _, payload = ClientHop.start(1, server.node_id, server.onion_public)
    with pytest.raises(HandshakeError):
        server.answer(payload[:EK_AT] + b"\xff" * 1_184 + bytes(24))
    server.answer(payload)


# -- state and malformed input -------------------------------------------------------------------


def test_ephemerals_are_dropped_after_finish() -> None:
    server = Server()
    state, payload = ClientHop.start(1, server.node_id, server.onion_public)
    created, _keys = server.answer(payload)
    state.finish(created)
    assert state._x is None
    assert state._kem is None
    with pytest.raises(HandshakeError, match="over"):
        state.finish(created)
    with pytest.raises(HandshakeError, match="over"):
        state.create_payload()


def test_ephemerals_are_dropped_after_a_failure() -> None:
    server = Server()
    state, payload = ClientHop.start(1, server.node_id, server.onion_public)
    with pytest.raises(HandshakeError):
        state.finish(b"")
    created, _keys = server.answer(payload)
    with pytest.raises(HandshakeError, match="over"):
        state.finish(created)


@given(st.binary(max_size=1_400))
def test_any_bytes_as_create(data: bytes) -> None:
    with pytest.raises(HandshakeError):
        Server().answer(data)


@given(st.binary(min_size=CREATE_BYTES, max_size=CREATE_BYTES))
def test_any_bytes_of_the_right_length_as_create(data: bytes) -> None:
    server = Server()
    with pytest.raises(HandshakeError):
        server.answer(data)
    framed = b"\x01" + server.node_id + server.onion_public + data[X_AT:]
    try:
        server.answer(framed)
    except HandshakeError:
        return


@given(st.binary(max_size=1_300) | st.binary(min_size=CREATED_BYTES, max_size=CREATED_BYTES))
def test_any_bytes_as_created(data: bytes) -> None:
    server = Server()
    state, _payload = ClientHop.start(1, server.node_id, server.onion_public)
    with pytest.raises(HandshakeError):
        state.finish(data)
