"""docs/vectors/dht.json read back, and its keys made once more from the words of the document."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from engine.directory.dht.members import position_of
from engine.wire import dht as wire
from engine.wire.advert import Advert
from engine.wire.cells import BODY_BYTES
from engine.wire.record import Capability, Record
from tests.engine.crypto.support import load_vectors

VECTORS: dict[str, Any] = load_vectors("dht.json")
NETWORK = bytes.fromhex(VECTORS["network"])
KEYS = [bytes.fromhex(key) for key in VECTORS["keys"]]


def test_keys_are_what_the_document_says() -> None:
    secret = hashlib.sha256(
        b"peer2prompt capability v1" + NETWORK + VECTORS["capability"].encode()
    ).digest()
    assert secret.hex() == VECTORS["secret"]
    offset = int.from_bytes(secret[:8], "big") % 14_400
    epoch = (VECTORS["now"] + offset) // 14_400
    assert epoch == VECTORS["epoch"]
    for salt, key in enumerate(KEYS):
        tail = epoch.to_bytes(4, "big") + bytes([salt])
        assert hashlib.sha256(b"peer2prompt record key v1" + secret + tail).digest() == key


def test_the_record_opens() -> None:
    record = Record.parse(bytes.fromhex(VECTORS["record"]))
    worth = record.check(NETWORK, KEYS[0], VECTORS["now"], VECTORS["work_bits"])
    assert worth == VECTORS["work_bits"]
    advert = record.open(Capability(NETWORK, VECTORS["capability"]), KEYS[0], VECTORS["now"])
    assert advert.raw.hex() == VECTORS["advert"]
    assert record.epoch_key.hex() == VECTORS["epoch_key"]


def test_the_position_is_what_the_document_says() -> None:
    advert = Advert.decode(bytes.fromhex(VECTORS["advert"]), VECTORS["now"])
    work = advert.work_epoch.to_bytes(4, "big") + advert.work_nonce
    text = b"peer2prompt dht position v1" + NETWORK + advert.node_id + work
    assert hashlib.sha256(text).hexdigest() == VECTORS["position"]
    assert f"{position_of(advert):064x}" == VECTORS["position"]


@pytest.mark.parametrize("case", VECTORS["messages"], ids=lambda case: str(case["name"]))
def test_messages_are_read_and_written_alike(case: dict[str, str]) -> None:
    body = bytes.fromhex(case["body"]).ljust(BODY_BYTES, b"\0")
    assert wire.encode(wire.parse(body)) == body
