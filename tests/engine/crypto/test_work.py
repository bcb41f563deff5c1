"""Proof of work: known answers, what a nonce is bound to, and the bounds on what may be asked."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.crypto import work

# Made by a search of their own over the formula in docs/protocol.md (see the slow check below).
KNOWN = [
    (b"", 8, "0000000000000216"),
    (b"peer2prompt", 12, "0000000000000081"),
    (bytes(range(64)), 16, "0000000000014a19"),
]


def zero_bits(challenge: bytes, nonce: bytes) -> int:
    """The puzzle as the document states it, by another road: count the zeros of the integer."""
    text = b"peer2prompt work v1" + len(challenge).to_bytes(2, "big") + challenge + nonce
    return 256 - int.from_bytes(hashlib.sha256(text).digest(), "big").bit_length()


@pytest.mark.parametrize(("challenge", "bits", "nonce"), KNOWN)
def test_known_answers(challenge: bytes, bits: int, nonce: str) -> None:
    assert work.solve(challenge, bits).hex() == nonce
    assert work.check(challenge, bytes.fromhex(nonce), bits)


@settings(max_examples=30)
@given(st.binary(max_size=200), st.integers(0, 10))
def test_what_is_solved_checks_and_is_the_first_that_does(challenge: bytes, bits: int) -> None:
    nonce = work.solve(challenge, bits)
    assert zero_bits(challenge, nonce) >= bits
    first = int.from_bytes(nonce, "big")
    assert all(zero_bits(challenge, n.to_bytes(8, "big")) < bits for n in range(first))


@given(st.binary(max_size=100), st.binary(min_size=8, max_size=8), st.integers(0, 24))
def test_check_agrees_with_the_zero_bits(challenge: bytes, nonce: bytes, bits: int) -> None:
    assert work.check(challenge, nonce, bits) == (zero_bits(challenge, nonce) >= bits)


@given(st.binary(max_size=20).filter(lambda nonce: len(nonce) != 8))
def test_a_nonce_of_another_length_never_checks(nonce: bytes) -> None:
    assert not work.check(b"challenge", nonce, 0)


def test_a_nonce_is_good_for_its_challenge_alone() -> None:
    nonce = work.solve(b"challenge", 16)
    assert not work.check(b"challengf", nonce, 16)
    assert not work.check(b"challeng", b"e" + nonce[:7], 16)  # the length is hashed too


@pytest.mark.parametrize("bits", [-1, 25, 256])
def test_nobody_is_asked_for_more_than_the_bound(bits: int) -> None:
    with pytest.raises(ValueError, match="bits"):
        work.solve(b"", bits)
    with pytest.raises(ValueError, match="bits"):
        work.check(b"", bytes(8), bits)


def test_a_challenge_has_a_bounded_length() -> None:
    with pytest.raises(ValueError, match="challenge"):
        work.solve(bytes(65_536), 0)
