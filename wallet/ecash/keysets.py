"""Keysets and their ids (NUT-01, NUT-02): a mint cannot change keys without changing the id."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from wallet.ecash.errors import EcashError

V1_HEX, V2_HEX, SHORT_HEX = 16, 66, 16
# A mint announces 64 powers of two; more keys than this is an attempt to fill memory.
MAX_KEYS = 256


@dataclass(frozen=True, slots=True)
class Keyset:
    """A mint's public keys by amount. Built only through `make_keyset`, which checks the id."""

    id: str
    unit: str
    active: bool
    input_fee_ppk: int
    final_expiry: int | None
    keys: Mapping[int, bytes] = field(repr=False)

    def key(self, amount: int) -> bytes:
        """The public key for this amount. Raises EcashError."""
        try:
            return self.keys[amount]
        except KeyError as exc:
            raise EcashError("the keyset has no key for this amount") from exc


def keyset_version(keyset_id: str) -> int:
    """1 or 2; EcashError for anything else (the old base64 ids are not supported)."""
    lowered_hex = all(c in "0123456789abcdef" for c in keyset_id)
    if lowered_hex and len(keyset_id) == V1_HEX and keyset_id.startswith("00"):
        return 1
    if lowered_hex and len(keyset_id) == V2_HEX and keyset_id.startswith("01"):
        return 2
    raise EcashError("unknown kind of keyset id")


def short_id(keyset_id: str) -> str:
    """The 8-byte form that tokens carry. Version 1 ids, and ids read from tokens, are short."""
    if len(keyset_id) != SHORT_HEX or not keyset_id.startswith("01"):
        keyset_version(keyset_id)
    return keyset_id[:SHORT_HEX]


def parse_keys(keys: Mapping[str, str]) -> dict[int, bytes]:
    """NUT-01 keys as they come in JSON: decimal amounts, compressed points, nothing else."""
    from wallet.ecash.curve import parse_point  # a relay, which has no ecash, does without

    if not keys or len(keys) > MAX_KEYS:
        raise EcashError("a keyset needs between 1 and 256 keys")
    parsed: dict[int, bytes] = {}
    for text, key in keys.items():
        # Amounts go up to 2**63 (NUT-01 vectors); a leading zero would be a second spelling.
        if not text.isascii() or not text.isdigit() or text.startswith("0") or len(text) > 20:
            raise EcashError("a keyset amount is not a positive number")
        parsed[int(text)] = parse_point(key)
    return parsed


def derive_id_v1(keys: Mapping[int, bytes]) -> str:
    joined = b"".join(keys[amount] for amount in sorted(keys))
    return "00" + hashlib.sha256(joined).hexdigest()[:14]


def derive_id_v2(
    keys: Mapping[int, bytes], unit: str, input_fee_ppk: int, final_expiry: int | None
) -> str:
    """The id that NUT-02 (version 01) gives a keyset of these keys."""
    text = ",".join(f"{amount}:{keys[amount].hex()}" for amount in sorted(keys))
    text += f"|unit:{unit.lower()}"
    if input_fee_ppk:
        text += f"|input_fee_ppk:{input_fee_ppk}"
    if final_expiry is not None:
        text += f"|final_expiry:{final_expiry}"
    return "01" + hashlib.sha256(text.encode()).hexdigest()


def make_keyset(
    keyset_id: str,
    keys: Mapping[str, str],
    *,
    unit: str,
    active: bool,
    input_fee_ppk: int,
    final_expiry: int | None,
) -> Keyset:
    """Parse and check that the id commits to these keys (v2: also to unit, fee and expiry)."""
    parsed = parse_keys(keys)
    if input_fee_ppk < 0 or input_fee_ppk > 1_000_000:
        raise EcashError("the input fee of the keyset is out of range")
    if keyset_version(keyset_id) == 1:
        derived = derive_id_v1(parsed)
    else:
        derived = derive_id_v2(parsed, unit, input_fee_ppk, final_expiry)
    if derived != keyset_id:
        raise EcashError("the keyset id does not belong to these keys")
    return Keyset(keyset_id, unit, active, input_fee_ppk, final_expiry, parsed)
