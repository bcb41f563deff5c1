"""Slots and packets against the document's formulas, written a second time with nothing of ours."""

from __future__ import annotations

import hashlib
import hmac
import os

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from hypothesis import given
from hypothesis import strategies as st

from engine.crypto.packets import (
    PACKET_BYTES,
    PACKET_PLAIN_BYTES,
    layer,
    open_packet,
    seal_packet,
    slot_handles,
    slot_keys,
    slot_order,
)
from engine.errors import LayerError
from tests.engine.crypto.support import load_vectors

VECTORS = load_vectors("mailbox.json")
SEEDS = {name: bytes.fromhex(value) for name, value in VECTORS["seeds"].items()}


def expand(key: bytes, label: bytes) -> bytes:
    return hmac.new(key, label + b"\x01", hashlib.sha256).digest()


def chacha(key: bytes, size: int) -> bytes:
    return Cipher(algorithms.ChaCha20(key, bytes(16)), None).encryptor().update(bytes(size))


def nth(seed: bytes, label: bytes, size: int, place: int) -> bytes:
    return chacha(expand(seed, label), 16 * size)[place * size : (place + 1) * size]


def pad(key_seed: bytes, place: int) -> bytes:
    return chacha(nth(key_seed, b"peer2prompt slot keys v1", 32, place), 2_008)


def xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("way", VECTORS["ways"])
def test_a_packets_way_as_the_document_says(way: dict[str, object]) -> None:
    place = way["place"]
    assert isinstance(place, int)
    order = sorted(
        range(16), key=lambda k: nth(SEEDS["first keys"], b"peer2prompt slot order v1", 8, k)
    )
    assert order == VECTORS["order"]
    assert order[place] == way["place_at_the_box"]
    handle = nth(SEEDS["first handles"], b"peer2prompt slot handles v1", 16, place)
    assert handle.hex() == way["handle"]
    last = nth(SEEDS["box handles"], b"peer2prompt slot handles v1", 16, order[place])
    assert last.hex() == way["handle_at_the_box"]
    key = expand(SEEDS["block key"], b"peer2prompt reply packet v1" + place.to_bytes(2, "big"))
    plain = bytes.fromhex(str(way["plain"]))
    sealed = ChaCha20Poly1305(key).encrypt(bytes(12), plain, None)
    behind = xor(sealed, pad(SEEDS["first keys"], place))
    boxed = xor(behind, pad(SEEDS["box keys"], order[place]))
    for payload, name in (
        (sealed, "payload_sha256"),
        (behind, "payload_behind_the_first_relay_sha256"),
        (boxed, "payload_in_the_box_sha256"),
    ):
        assert hashlib.sha256(payload).hexdigest() == way[name]


def test_owner_tag_and_work_vectors() -> None:
    owner = bytes.fromhex(VECTORS["owner"])
    tag = hashlib.sha256(b"peer2prompt slot owner v1" + owner).hexdigest()
    assert tag == VECTORS["owner_tag"]
    work = VECTORS["work"]
    challenge = bytes.fromhex(work["challenge"])
    assert challenge.endswith(owner)
    text = b"peer2prompt work v1" + len(challenge).to_bytes(2, "big") + challenge
    digest = hashlib.sha256(text + bytes.fromhex(work["nonce"])).digest()
    assert work["bits_for_8_and_64_slots"] == 10
    assert int.from_bytes(digest, "big") >> (256 - 10) == 0


@given(st.binary(min_size=32, max_size=32), st.sampled_from([16, 64, 256]))
def test_an_order_is_a_permutation_and_handles_and_keys_are_distinct(
    seed: bytes, cells: int
) -> None:
    assert sorted(slot_order(seed, cells)) == list(range(cells))
    assert len(set(slot_handles(seed, cells))) == cells
    assert len(set(slot_keys(seed, cells))) == cells


def test_layers_come_off_in_any_order() -> None:
    keys = [os.urandom(32) for _ in range(3)]
    payload = os.urandom(PACKET_BYTES)
    wrapped = payload
    for key in keys:
        wrapped = layer(key, wrapped)
    assert wrapped != payload
    for key in (keys[1], keys[2], keys[0]):
        wrapped = layer(key, wrapped)
    assert wrapped == payload


@given(st.integers(0, PACKET_BYTES * 8 - 1))
def test_any_changed_bit_is_noticed(bit: int) -> None:
    key, plain = os.urandom(32), os.urandom(PACKET_PLAIN_BYTES)
    sealed = bytearray(seal_packet(key, 5, plain))
    assert open_packet(key, 5, bytes(sealed)) == plain
    sealed[bit >> 3] ^= 1 << (bit & 7)
    with pytest.raises(LayerError):
        open_packet(key, 5, bytes(sealed))


def test_a_packet_opens_at_its_place_only() -> None:
    key, plain = os.urandom(32), bytes(PACKET_PLAIN_BYTES)
    with pytest.raises(LayerError):
        open_packet(key, 6, seal_packet(key, 5, plain))
    with pytest.raises(ValueError, match="1992"):
        seal_packet(key, 5, plain[:-1])
