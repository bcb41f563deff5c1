"""SIG_ALL: what is signed, by the official vectors, and that nothing else is opened."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wallet.ecash import conditions, quotes, sigall
from wallet.ecash.conditions import Lock, NotYetOpen
from wallet.ecash.types import BlindedMessage, Proof

VECTORS = Path(__file__).parents[2] / "vectors" / "cashu-nuts.json"
BLOCKS = [vector["block"] for vector in json.loads(VECTORS.read_text())["nuts"]["11"]]
unhex = bytes.fromhex
ALICE, BOB = bytes([1]) * 32, bytes([2]) * 32
KEYS = {quotes.public_key(key): key for key in (ALICE, BOB)}
LOCK = conditions.lock_to_keys([quotes.public_key(ALICE)], sig_all=True)
OUTPUT = BlindedMessage(2, "00bfa73302d12ffd", bytes.fromhex("02" + "11" * 32))


def request(number: int) -> tuple[list[Proof], list[BlindedMessage], str]:
    body: Any = json.loads(BLOCKS[number])
    inputs = [
        Proof(
            p["amount"], p["id"], p["secret"], bytes.fromhex(p["C"]), witness=p.get("witness", "")
        )
        for p in body["inputs"]
    ]
    outputs = [
        BlindedMessage(o["amount"], o["id"], bytes.fromhex(o["B_"])) for o in body["outputs"]
    ]
    return inputs, outputs, body.get("quote", "")


def parsed(proof: Proof) -> Lock:
    lock = conditions.parse(proof.secret)
    assert lock is not None
    return lock


def coins(lock: Lock, count: int) -> list[Proof]:
    return [
        Proof(1 << n, OUTPUT.id, conditions.secret(lock, f"{n:064x}"), bytes([2]) * 33)
        for n in range(count)
    ]


@pytest.mark.parametrize(("number", "text"), [(9, 10), (18, 19)])
def test_what_is_signed(number: int, text: int) -> None:
    assert sigall.text(*request(number)) == BLOCKS[text]


@pytest.mark.parametrize("number", [11, 13, 14, 15, 17, 20, 21])
def test_the_vectors_signatures_are_over_it(number: int) -> None:
    inputs, outputs, quote = request(number)
    lock = parsed(inputs[0])
    signatures = conditions.parse_witness(inputs[0].witness).signatures
    covered = sigall.text(inputs, outputs, quote)
    by = [
        key
        for key in (*lock.keys, *lock.refund)
        for s in signatures
        if conditions.signed_by(key, covered, s)
    ]
    assert len(by) == len(signatures) > 0


def test_different_locks_do_not_go_together() -> None:
    later = conditions.lock_to_keys(list(LOCK.keys), locktime=1, sig_all=True)
    with pytest.raises(NotYetOpen):
        sigall.common_lock([LOCK, later])
    with pytest.raises(NotYetOpen):
        sigall.common_lock([LOCK, None])
    assert sigall.common_lock([LOCK, LOCK]) == LOCK
    assert sigall.common_lock([None, conditions.lock_to_keys(list(KEYS))]) is None


def test_the_first_input_carries_the_signatures() -> None:
    inputs = coins(LOCK, 3)
    first, *rest = sigall.open_all(inputs, LOCK, KEYS, [OUTPUT], now=0)
    assert [proof.witness for proof in rest] == ["", ""]
    signatures = conditions.parse_witness(first.witness).signatures
    texts = (sigall.text(inputs, [OUTPUT]), sigall.older_text(inputs, [OUTPUT]))
    for signature, covered in zip(signatures, texts, strict=True):
        assert conditions.signed_by(LOCK.data, covered, signature)


def test_every_input_shows_the_preimage() -> None:
    preimage = "5a" * 32
    digest = hashlib.sha256(bytes.fromhex(preimage)).hexdigest()
    lock = conditions.lock_to_hash(digest, list(KEYS), n_sigs=2, sig_all=True)
    opened = sigall.open_all(coins(lock, 2), lock, KEYS, [OUTPUT], now=0, preimage=preimage)
    witnesses = [conditions.parse_witness(proof.witness) for proof in opened]
    assert [len(witness.signatures) for witness in witnesses] == [4, 0]
    assert {witness.preimage for witness in witnesses} == {preimage}


def test_no_key_no_witness() -> None:
    with pytest.raises(NotYetOpen, match="does not have"):
        sigall.open_all(coins(LOCK, 1), LOCK, {}, [OUTPUT], now=0)
    two = conditions.lock_to_keys(list(KEYS), n_sigs=2, sig_all=True)
    with pytest.raises(NotYetOpen, match="1 more"):
        sigall.open_all(coins(two, 1), two, {two.data: KEYS[two.data]}, [OUTPUT], now=0)


@given(st.integers(0, 63), st.integers(1, 1 << 20))
def test_another_output_or_amount_is_not_signed(place: int, amount: int) -> None:
    inputs = coins(LOCK, 1)
    (opened,) = sigall.open_all(inputs, LOCK, KEYS, [OUTPUT], now=0)
    present, _ = conditions.parse_witness(opened.witness).signatures
    point = bytearray(OUTPUT.B_)
    point[1 + place // 2] ^= 1 << place % 8
    others = (
        BlindedMessage(OUTPUT.amount, OUTPUT.id, bytes(point)),
        BlindedMessage(OUTPUT.amount + amount, OUTPUT.id, OUTPUT.B_),
    )
    for other in others:
        assert not conditions.signed_by(LOCK.data, sigall.text(inputs, [other]), present)
