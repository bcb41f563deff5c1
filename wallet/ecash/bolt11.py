"""What a Lightning invoice (BOLT11) asks for: its amount and what it commits to. Pure, strict.

The signature is not checked: the mint that pays the invoice does that. Read here is what a wallet
must not take on trust from the service that made the invoice for it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from wallet.ecash import bech32
from wallet.ecash.errors import EcashError

_PREFIX = re.compile(r"ln(?:bcrt|bc|tbs|tb)(?:([1-9][0-9]{0,17})([munp]?))?")
_MSAT = {"": 100_000_000_000, "m": 100_000_000, "u": 100_000, "n": 100}
_MAX_CHARS = 4096
NOT_ONE = "not an invoice"
_SIGNATURE, _TIMESTAMP = 104, 7
_HASH_FIELD, _HASH_GROUPS = 23, 52
_MAX_MSAT = 21_000_000 * _MSAT[""]


@dataclass(frozen=True, slots=True)
class Invoice:
    """`amount_msat` None: the payer chooses. `description_hash` is 32 bytes, or empty."""

    amount_msat: int | None
    description_hash: bytes


def decode(text: str) -> Invoice:
    """Raises EcashError for anything that is not one whole invoice."""
    if len(text) > _MAX_CHARS:
        raise EcashError(NOT_ONE)
    try:
        prefix, groups = bech32.split(text)
    except EcashError as exc:
        raise EcashError(NOT_ONE) from exc
    match = _PREFIX.fullmatch(prefix)
    if match is None:
        raise EcashError(NOT_ONE)
    least = _TIMESTAMP + _SIGNATURE + bech32.CHECKSUM_GROUPS
    if len(groups) < least or bech32.state(prefix, groups) != bech32.BECH32:
        raise EcashError("the invoice is cut or mistyped")
    fields = groups[_TIMESTAMP : -_SIGNATURE - bech32.CHECKSUM_GROUPS]
    return Invoice(_amount(match[1], match[2]), _description_hash(fields))


def _amount(digits: str | None, unit: str | None) -> int | None:
    if digits is None:
        return None
    number = int(digits)
    if unit == "p" and number % 10:
        raise EcashError("the invoice asks for a part of a millisatoshi")
    msat = number // 10 if unit == "p" else number * _MSAT[unit or ""]
    if msat > _MAX_MSAT:
        raise EcashError("the invoice asks for more than there is")
    return msat


def _description_hash(fields: list[int]) -> bytes:
    """The first field of this kind with the right length, as the standard says; b"" without."""
    at = 0
    while at < len(fields):
        if at + 3 > len(fields):
            raise EcashError("the invoice's fields are cut")
        kind, length = fields[at], fields[at + 1] << 5 | fields[at + 2]
        content = fields[at + 3 : at + 3 + length]
        if len(content) < length:
            raise EcashError("the invoice's fields are cut")
        if kind == _HASH_FIELD and length == _HASH_GROUPS:
            return bech32.to_bytes(content)
        at += 3 + length
    return b""
