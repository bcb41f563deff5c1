"""NUT-13: secrets and blinding factors from a BIP-39 seed, one pair per keyset and counter.

Version 1 keysets (id 00..) walk BIP-32; version 2 (id 01..) use one HMAC. A counter may be used
once: whoever calls this persists the counter first.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field

from coincurve import PublicKey

from wallet.ecash import conditions
from wallet.ecash.conditions import Lock
from wallet.ecash.curve import CURVE_ORDER, blind
from wallet.ecash.errors import EcashError
from wallet.ecash.keysets import keyset_version

LOCK_KEY_LABEL = b"Peer2Prompt lock key v1"
KDF_LABEL = b"Cashu_KDF_HMAC_SHA256"
SEED_BYTES = 64
PURPOSE, COIN = 129372, 0
HARDENED = 1 << 31


@dataclass(frozen=True, slots=True)
class Output:
    """One derived output: where it came from, its secrets and its blinded message."""

    amount: int
    id: str
    counter: int
    secret: str = field(repr=False)
    r: bytes = field(repr=False)
    B_: bytes = field(repr=False)


class Seed:
    """The 64 bytes of a BIP-39 mnemonic. Never printed."""

    __slots__ = ("_bytes",)

    def __init__(self, data: bytes) -> None:
        if len(data) != SEED_BYTES:
            raise EcashError("a BIP-39 seed is 64 bytes")
        self._bytes = data

    def __repr__(self) -> str:
        return "Seed(hidden)"

    def derive(self, keyset_id: str, counter: int) -> tuple[str, bytes]:
        """(secret as 64 hex characters, blinding factor r) for this keyset and counter."""
        if not 0 <= counter < HARDENED:
            raise EcashError("the counter is out of range")
        if keyset_version(keyset_id) == 1:
            return self._derive_v1(keyset_id, counter)
        return self._derive_v2(keyset_id, counter)

    def output(self, keyset_id: str, counter: int, amount: int, lock: Lock | None = None) -> Output:
        """With a `lock`, the derived secret is the nonce of the locked one (NUT-10): it can be
        made again from the same counter, so no locked send can be lost with its answer."""
        secret, r = self.derive(keyset_id, counter)
        if lock is not None:
            secret = conditions.secret(lock, secret)
        return Output(amount, keyset_id, counter, secret, r, blind(secret, r))

    def lock_key(self, index: int) -> bytes:
        """The private key number `index` that others may lock ecash to (NUT-11)."""
        label = LOCK_KEY_LABEL + index.to_bytes(8, "big")
        number = int.from_bytes(hmac.digest(self._bytes, label, "sha256"), "big") % CURVE_ORDER
        if number == 0:  # probability 2**-256
            raise EcashError("the derived key is zero")
        return number.to_bytes(32, "big")

    def _derive_v2(self, keyset_id: str, counter: int) -> tuple[str, bytes]:
        base = KDF_LABEL + bytes.fromhex(keyset_id) + counter.to_bytes(8, "big")
        secret = hmac.digest(self._bytes, base + b"\x00", "sha256")
        r = int.from_bytes(hmac.digest(self._bytes, base + b"\x01", "sha256"), "big") % CURVE_ORDER
        if r == 0:  # probability 2**-256; the NUT says to fail
            raise EcashError("the derived blinding factor is zero")
        return secret.hex(), r.to_bytes(32, "big")

    def _derive_v1(self, keyset_id: str, counter: int) -> tuple[str, bytes]:
        number = int.from_bytes(bytes.fromhex(keyset_id), "big") % (HARDENED - 1)
        node = _master(self._bytes)
        for index in (PURPOSE, COIN, number, counter):
            node = _child(node, HARDENED + index)
        return _child(node, 0)[0].hex(), _child(node, 1)[0]


Node = tuple[bytes, bytes]


def _master(seed: bytes) -> Node:
    digest = hmac.digest(b"Bitcoin seed", seed, "sha512")
    return digest[:32], digest[32:]


def _child(node: Node, index: int) -> Node:
    """BIP-32 private derivation."""
    key, chain = node
    data = b"\x00" + key if index >= HARDENED else _public(key)
    digest = hmac.digest(chain, data + index.to_bytes(4, "big"), hashlib.sha512)
    child = (int.from_bytes(digest[:32], "big") + int.from_bytes(key, "big")) % CURVE_ORDER
    return child.to_bytes(32, "big"), digest[32:]


def _public(key: bytes) -> bytes:
    return PublicKey.from_secret(key).format()
