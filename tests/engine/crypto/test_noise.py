"""The Noise state machines against the public vectors, and against everything malformed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from hypothesis import given
from hypothesis import strategies as st

from engine.crypto.keys import x25519_generate, x25519_public
from engine.crypto.noise import PATTERNS, HandshakeState
from engine.errors import HandshakeError

_FILE = Path(__file__).parents[2] / "vectors" / "noise.json"
VECTORS: list[dict[str, Any]] = json.loads(_FILE.read_text(encoding="utf-8"))["vectors"]


def _party(vector: dict[str, Any], who: str) -> HandshakeState:
    pattern, _curve, _cipher, hash_name = vector["protocol_name"].split("_")[1:]

    def key(name: str) -> bytes | None:
        value = vector.get(f"{who}_{name}")
        return bytes.fromhex(value) if value else None

    psks = vector.get(f"{who}_psks") or [None]
    return HandshakeState(
        pattern,
        initiator=who == "init",
        hash_name=hash_name,
        prologue=bytes.fromhex(vector[f"{who}_prologue"]),
        static=key("static"),
        remote_static=key("remote_static"),
        psk=bytes.fromhex(psks[0]) if psks[0] else None,
        ephemeral=key("ephemeral"),
    )


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["protocol_name"])
def test_public_vectors(vector: dict[str, Any]) -> None:
    initiator, responder = _party(vector, "init"), _party(vector, "resp")
    messages = iter(vector["messages"])
    writer, reader = initiator, responder
    while not initiator.done:
        message = next(messages)
        payload = bytes.fromhex(message["payload"])
        out = writer.write_message(payload)
        assert out.hex() == message["ciphertext"]
        assert reader.read_message(out) == payload
        writer, reader = reader, writer
    assert responder.done
    assert initiator.handshake_hash.hex() == vector["handshake_hash"]
    assert responder.handshake_hash == initiator.handshake_hash
    assert initiator.transport_keys() == responder.transport_keys()
    _check_transport(initiator.transport_keys(), writer is initiator, list(messages))


def _check_transport(
    keys: tuple[bytes, bytes], initiator_first: bool, messages: list[dict[str, str]]
) -> None:
    """Transport messages alternate; each direction counts from zero (section 5.1)."""
    counters = [0, 0]
    side = 0 if initiator_first else 1
    for message in messages:
        nonce = bytes(4) + counters[side].to_bytes(8, "little")
        payload = bytes.fromhex(message["payload"])
        ciphertext = ChaCha20Poly1305(keys[side]).encrypt(nonce, payload, b"")
        assert ciphertext.hex() == message["ciphertext"]
        counters[side] += 1
        side = 1 - side


def _xx() -> tuple[HandshakeState, HandshakeState]:
    return (
        HandshakeState("XX", initiator=True, static=x25519_generate()),
        HandshakeState("XX", initiator=False, static=x25519_generate()),
    )


def _run(initiator: HandshakeState, responder: HandshakeState) -> None:
    writer, reader = initiator, responder
    while not (initiator.done and responder.done):
        reader.read_message(writer.write_message(b"payload"))
        writer, reader = reader, writer


def test_every_pattern_agrees_with_itself() -> None:
    for pattern in PATTERNS:
        i, r = x25519_generate(), x25519_generate()
        initiator = HandshakeState(
            pattern, initiator=True, static=i, remote_static=x25519_public(r)
        )
        responder = HandshakeState(
            pattern, initiator=False, static=r, remote_static=x25519_public(i)
        )
        _run(initiator, responder)
        assert initiator.transport_keys() == responder.transport_keys()


@pytest.mark.parametrize("step", [0, 1, 2])
@pytest.mark.parametrize("position", [0, 31, 32, 40, -1])
def test_any_changed_byte_ends_the_handshake(step: int, position: int) -> None:
    initiator, responder = _xx()
    with pytest.raises(HandshakeError):
        _run_with_change(initiator, responder, step, position)


def _run_with_change(
    initiator: HandshakeState, responder: HandshakeState, step: int, position: int
) -> None:
    """Flip a bit of message `step`; one in the clear message 1 shows when message 2 is read."""
    parties = [initiator, responder]
    for number in range(3):
        writer, reader = parties[number % 2], parties[1 - number % 2]
        message = bytearray(writer.write_message(b"a payload of some length"))
        if number == step:
            message[position] ^= 1
        reader.read_message(bytes(message))


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    initiator, responder = _xx()
    try:
        responder.read_message(data)
    except HandshakeError:
        return
    assert len(data) >= 32
    initiator.write_message(b"")
    with pytest.raises(HandshakeError):
        initiator.read_message(data)


def test_order_is_kept() -> None:
    initiator, responder = _xx()
    with pytest.raises(ValueError, match="turn"):
        responder.write_message(b"")
    with pytest.raises(HandshakeError, match="turn"):
        initiator.read_message(bytes(100))
    with pytest.raises(ValueError, match="finished"):
        initiator.transport_keys()
    _run(initiator, responder)
    with pytest.raises(HandshakeError, match="turn"):
        responder.read_message(bytes(100))
    with pytest.raises(ValueError, match="turn"):
        initiator.write_message(b"")


def test_different_prologues_do_not_meet() -> None:
    initiator = HandshakeState("XX", initiator=True, static=x25519_generate(), prologue=b"a")
    responder = HandshakeState("XX", initiator=False, static=x25519_generate(), prologue=b"b")
    responder.read_message(initiator.write_message(b""))
    with pytest.raises(HandshakeError):
        initiator.read_message(responder.write_message(b""))


def test_missing_keys_are_a_local_mistake() -> None:
    with pytest.raises(ValueError, match="static"):
        HandshakeState("NK", initiator=True)
    with pytest.raises(ValueError, match="static"):
        HandshakeState("KK", initiator=True)
    state = HandshakeState("NNpsk0", initiator=True)
    with pytest.raises(ValueError, match="pre-shared"):
        state.write_message(b"")


def test_private_keys_are_dropped_when_done() -> None:
    initiator, responder = _xx()
    _run(initiator, responder)
    assert initiator._e is None
    assert initiator._s is None
    assert initiator.rs != responder.rs
