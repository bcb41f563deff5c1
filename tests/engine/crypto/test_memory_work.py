"""The memory-hard work that identities and records share."""

from __future__ import annotations

import hashlib

import pytest

from engine.crypto.memory_work import MAX_BITS, search, worth

LABEL = b"peer2prompt test work"


def test_what_is_found_is_worth_it() -> None:
    nonce = search(LABEL, b"message", 5)
    assert worth(LABEL, b"message", nonce) >= 5


def test_worth_is_counted_in_leading_zero_bits() -> None:
    nonce = bytes(8)
    digest = hashlib.scrypt(LABEL + b"m" + nonce, salt=LABEL, n=256, r=8, p=1, dklen=8)
    bits = f"{int.from_bytes(digest, 'big'):064b}"
    assert worth(LABEL, b"m", nonce) == len(bits) - len(bits.lstrip("0"))


def test_work_is_for_its_label_and_message() -> None:
    nonce = search(LABEL, b"message", 8)
    found = {worth(LABEL + b"!", b"message", nonce), worth(LABEL, b"other", nonce)}
    assert min(found) < 8


@pytest.mark.parametrize("bits", [-1, MAX_BITS + 1])
def test_too_much_is_refused(bits: int) -> None:
    with pytest.raises(ValueError, match="at most 24"):
        search(LABEL, b"", bits)
