"""The link handshake: agreement, identity, certificates, suites, malformed records."""

from __future__ import annotations

import os
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.crypto.keys import x25519_generate, x25519_public
from engine.crypto.noise import HandshakeState
from engine.crypto.suite import Suite
from engine.errors import HandshakeError, WireError
from engine.identity import Identity
from engine.wire.link import (
    CERT_BYTES,
    MAX_CERT_LIFE_S,
    PROLOGUE,
    LinkCert,
    LinkCredentials,
    LinkHandshake,
    LinkKeys,
)
from engine.wire.network import MAIN_NETWORK, network_tag

MAIN_PROLOGUE = PROLOGUE + MAIN_NETWORK
NOW = 1_800_000_000
RECORD = 2_048


def _credentials(identity: Identity | None = None) -> LinkCredentials:
    return LinkCredentials.fresh(identity or Identity.generate(), now=NOW)


def _shake(initiator: LinkHandshake, responder: LinkHandshake) -> tuple[LinkKeys, LinkKeys]:
    for writer, reader in ((initiator, responder), (responder, initiator), (initiator, responder)):
        record = writer.write_message()
        assert len(record) == RECORD
        reader.read_message(record)
    return initiator.result(), responder.result()


@pytest.mark.parametrize("suite", list(Suite))
def test_both_sides_agree_and_carry_cells(suite: Suite) -> None:
    alice, bob = Identity.generate(), Identity.generate()
    initiator = LinkHandshake.initiator(_credentials(alice), suite, bob.node_id, now=NOW)
    responder = LinkHandshake.responder(_credentials(bob), now=NOW)
    at_alice, at_bob = _shake(initiator, responder)
    assert at_alice.peer_node_id == bob.node_id
    assert at_alice.peer_ed25519 == bob.public
    assert at_bob.peer_node_id == alice.node_id
    assert at_alice.suite is at_bob.suite is suite
    assert at_alice.handshake_hash == at_bob.handshake_hash
    for send, recv in ((at_alice.send, at_bob.recv), (at_bob.send, at_alice.recv)):
        cell, record, out = os.urandom(2_032), bytearray(RECORD), bytearray(2_032)
        send.seal_into(cell, memoryview(record))
        recv.open_into(memoryview(record), memoryview(out))
        assert out == cell


def test_without_expectation_anybody_certified_is_taken() -> None:
    bob = Identity.generate()
    initiator = LinkHandshake.initiator(_credentials(), 1, None, now=NOW)
    keys, _ = _shake(initiator, LinkHandshake.responder(_credentials(bob), now=NOW))
    assert keys.peer_node_id == bob.node_id


def test_nodes_of_two_networks_cannot_link() -> None:
    other = LinkCredentials.of(
        Identity.generate(), x25519_generate(), not_after=NOW + 60, network=network_tag("other")
    )
    initiator = LinkHandshake.initiator(_credentials(), 1, None, now=NOW)
    responder = LinkHandshake.responder(other, now=NOW)
    responder.read_message(initiator.write_message())
    with pytest.raises(HandshakeError):
        initiator.read_message(responder.write_message())


def test_wrong_identity_is_refused_before_ours_is_told() -> None:
    initiator = LinkHandshake.initiator(_credentials(), 1, os.urandom(32), now=NOW)
    responder = LinkHandshake.responder(_credentials(), now=NOW)
    responder.read_message(initiator.write_message())
    with pytest.raises(HandshakeError, match="not the node"):
        initiator.read_message(responder.write_message())
    with pytest.raises(HandshakeError):
        initiator.write_message()
    with pytest.raises(HandshakeError):
        initiator.result()


def test_a_link_to_oneself_is_refused() -> None:
    mine = _credentials()
    initiator = LinkHandshake.initiator(mine, 1, None, now=NOW)
    responder = LinkHandshake.responder(mine, now=NOW)
    responder.read_message(initiator.write_message())
    with pytest.raises(HandshakeError, match="itself"):
        initiator.read_message(responder.write_message())


@pytest.mark.parametrize("shift", [-10 * 365 * 86_400, 7 * 86_400, 8 * 86_400])
def test_expired_and_overlong_certificates_are_refused(shift: int) -> None:
    initiator = LinkHandshake.initiator(_credentials(), 1, None, now=NOW + shift)
    responder = LinkHandshake.responder(_credentials(), now=NOW)
    responder.read_message(initiator.write_message())
    with pytest.raises(HandshakeError, match="expired"):
        initiator.read_message(responder.write_message())


def test_responder_checks_the_initiator_too() -> None:
    mallory = Identity.generate()
    credentials = LinkCredentials.of(
        mallory, x25519_generate(), not_after=NOW + MAX_CERT_LIFE_S + 1
    )
    initiator = LinkHandshake.initiator(credentials, 1, None, now=NOW)
    responder = LinkHandshake.responder(_credentials(), now=NOW)
    responder.read_message(initiator.write_message())
    initiator.read_message(responder.write_message())
    record = initiator.write_message()
    with pytest.raises(HandshakeError, match="expired or lasts"):
        responder.read_message(record)
    with pytest.raises(HandshakeError):
        responder.result()


def test_a_certificate_for_another_key_is_refused() -> None:
    """A thief shows a certificate it has seen, without the static key that goes with it."""
    honest = _credentials()
    static = x25519_generate()
    thief = LinkCredentials(static, x25519_public(static), honest.cert)
    initiator = LinkHandshake.initiator(_credentials(), 1, None, now=NOW)
    responder = LinkHandshake.responder(thief, now=NOW)
    responder.read_message(initiator.write_message())
    with pytest.raises(HandshakeError, match="another key"):
        initiator.read_message(responder.write_message())


def test_a_forged_certificate_is_refused() -> None:
    static = x25519_generate()
    public = x25519_public(static)
    genuine = LinkCert.issue(Identity.generate(), public, NOW + 100)
    claimed = LinkCert(Identity.generate().public, public, NOW + 100, genuine.signature)
    later = LinkCert(genuine.ed25519_public, public, NOW + 101, genuine.signature)
    for cert in (claimed, later):
        with pytest.raises(HandshakeError, match="signature"):
            cert.verify(public, NOW)
    assert genuine.verify(public, NOW)


@pytest.mark.parametrize("proposed", [0, 3, 255])
def test_unknown_suite_proposals_are_refused(proposed: int) -> None:
    with pytest.raises(HandshakeError, match="suite"):
        LinkHandshake.initiator(_credentials(), proposed, None, now=NOW)
    record = _first_message(struct.pack(">HB", 1, proposed))
    with pytest.raises(HandshakeError, match="suite"):
        LinkHandshake.responder(_credentials(), now=NOW).read_message(record)


def _first_message(payload: bytes) -> bytes:
    noise = HandshakeState(
        "XX", initiator=True, static=x25519_generate(), prologue=PROLOGUE + MAIN_NETWORK
    )
    return noise.write_message(payload.ljust(RECORD - 32, b"\0"))


def test_suite_cannot_be_changed_on_the_way() -> None:
    """Downgrade: message 1 is in the clear, but every later message is bound to it."""
    for suite, forged in ((1, 2), (2, 1)):
        initiator = LinkHandshake.initiator(_credentials(), suite, None, now=NOW)
        responder = LinkHandshake.responder(_credentials(), now=NOW)
        record = bytearray(initiator.write_message())
        assert record[34] == suite
        record[34] = forged
        responder.read_message(bytes(record))
        with pytest.raises(HandshakeError):
            initiator.read_message(responder.write_message())


def test_a_responder_that_answers_with_another_suite_is_refused() -> None:
    theirs = _credentials()
    initiator = LinkHandshake.initiator(_credentials(), 1, None, now=NOW)
    noise = HandshakeState(
        "XX", initiator=False, static=theirs.static_private, prologue=PROLOGUE + MAIN_NETWORK
    )
    noise.read_message(initiator.write_message())
    body = b"\x02" + theirs.cert.encode()
    payload = (struct.pack(">H", len(body)) + body).ljust(RECORD - 96, b"\0")
    with pytest.raises(HandshakeError, match="another cipher suite"):
        initiator.read_message(noise.write_message(payload))


@pytest.mark.parametrize(
    "payload",
    [
        struct.pack(">HB", 1, 1) + b"\x01",
        struct.pack(">HB", 1, 1).ljust(RECORD - 33, b"\0") + b"\x01",
        struct.pack(">HB", 0, 1),
        struct.pack(">HBB", 2, 1, 1),
        struct.pack(">HB", 0xFFFF, 1),
    ],
)
def test_padding_must_be_zero_and_lengths_exact(payload: bytes) -> None:
    responder = LinkHandshake.responder(_credentials(), now=NOW)
    with pytest.raises(HandshakeError, match="malformed"):
        responder.read_message(_first_message(payload))


@pytest.mark.parametrize("step", [0, 1, 2])
@pytest.mark.parametrize("position", [0, 31, 40, 100, 1_000, RECORD - 1])
def test_a_changed_handshake_record_never_completes(step: int, position: int) -> None:
    initiator = LinkHandshake.initiator(_credentials(), 1, None, now=NOW)
    responder = LinkHandshake.responder(_credentials(), now=NOW)
    with pytest.raises(HandshakeError):
        _shake_with_change(initiator, responder, step, position)
    assert not (initiator.done and responder.done)


def _shake_with_change(
    initiator: LinkHandshake, responder: LinkHandshake, step: int, position: int
) -> None:
    parties = [initiator, responder]
    for number in range(3):
        record = bytearray(parties[number % 2].write_message())
        if number == step:
            record[position] ^= 1
        parties[1 - number % 2].read_message(bytes(record))


@given(st.binary(max_size=100) | st.binary(min_size=RECORD, max_size=RECORD))
def test_any_bytes_as_a_record(data: bytes) -> None:
    responder = LinkHandshake.responder(_credentials(), now=NOW)
    with pytest.raises(HandshakeError):
        responder.read_message(data)
    initiator = LinkHandshake.initiator(_credentials(), 1, None, now=NOW)
    initiator.write_message()
    with pytest.raises(HandshakeError):
        initiator.read_message(data)
    with pytest.raises(HandshakeError, match="failed"):
        initiator.read_message(data)


def test_order_and_single_use() -> None:
    initiator = LinkHandshake.initiator(_credentials(), 1, None, now=NOW)
    responder = LinkHandshake.responder(_credentials(), now=NOW)
    with pytest.raises(HandshakeError):
        responder.write_message()
    with pytest.raises(HandshakeError):
        initiator.result()
    responder.read_message(initiator.write_message())
    initiator.read_message(responder.write_message())
    responder.read_message(initiator.write_message())
    assert initiator.done
    assert responder.done
    initiator.result()
    with pytest.raises(HandshakeError):  # the same keys from record zero again
        initiator.result()
    with pytest.raises(ValueError, match="erased"):
        initiator._noise.transport_keys()


def test_replayed_first_message_leads_nowhere() -> None:
    """Whoever replays message 1 does not hold its ephemeral key and cannot write message 3."""
    initiator = LinkHandshake.initiator(_credentials(), 1, None, now=NOW)
    first = initiator.write_message()
    one = LinkHandshake.responder(_credentials(), now=NOW)
    one.read_message(first)
    initiator.read_message(one.write_message())
    third = initiator.write_message()
    one.read_message(third)
    again = LinkHandshake.responder(_credentials(), now=NOW)
    again.read_message(first)
    again.write_message()
    with pytest.raises(HandshakeError):
        again.read_message(third)


@given(st.integers(0, 2**64 - 1))
def test_certificate_round_trip(not_after: int) -> None:
    cert = LinkCert.issue(Identity.generate(), x25519_public(x25519_generate()), not_after)
    assert LinkCert.decode(cert.encode()) == cert
    assert len(cert.encode()) == CERT_BYTES == 136


@given(st.binary(max_size=140) | st.binary(min_size=CERT_BYTES, max_size=CERT_BYTES))
def test_any_bytes_as_certificate(data: bytes) -> None:
    try:
        cert = LinkCert.decode(data)
    except WireError:
        return
    assert cert.encode() == data
    with pytest.raises(HandshakeError):
        cert.verify(cert.static_public, NOW)


def test_private_key_does_not_show() -> None:
    credentials = _credentials()
    assert repr(credentials.static_private) not in repr(credentials)


def test_expected_node_id_has_its_length() -> None:
    with pytest.raises(ValueError, match="32"):
        LinkHandshake.initiator(_credentials(), 1, b"short", now=NOW)
