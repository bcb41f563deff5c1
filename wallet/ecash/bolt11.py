"""What a Lightning invoice (BOLT11) asks for: its amount and what it commits to. Pure, strict.

The signature is not checked: the mint that pays the invoice does that. Read here is what a wallet
must not take on trust from the service that made the invoice for it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from wallet.ecash.errors import EcashError

_CHARSET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_VALUES = {char: value for value, char in enumerate(_CHARSET)}
_GENERATORS = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_PREFIX = re.compile(r"ln(?:bcrt|bc|tbs|tb)(?:([1-9][0-9]{0,17})([munp]?))?")
_MSAT = {"": 100_000_000_000, "m": 100_000_000, "u": 100_000, "n": 100}
_MAX_CHARS = 4096
_CHECKSUM, _SIGNATURE, _TIMESTAMP = 6, 104, 7
_HASH_FIELD, _HASH_GROUPS = 23, 52
_MAX_MSAT = 21_000_000 * _MSAT[""]


@dataclass(frozen=True, slots=True)
class Invoice:
    """`amount_msat` None: the payer chooses. `description_hash` is 32 bytes, or empty."""

    amount_msat: int | None
    description_hash: bytes


def decode(text: str) -> Invoice:
    """Raises EcashError for anything that is not one whole invoice."""
    if not text.isascii() or len(text) > _MAX_CHARS or text not in (text.lower(), text.upper()):
        raise EcashError("not an invoice")
    prefix, found, data = text.lower().rpartition("1")
    match = _PREFIX.fullmatch(prefix)
    if not found or match is None or any(char not in _VALUES for char in data):
        raise EcashError("not an invoice")
    groups = [_VALUES[char] for char in data]
    if len(groups) < _TIMESTAMP + _SIGNATURE + _CHECKSUM or _checksum(prefix, groups) != 1:
        raise EcashError("the invoice is cut or mistyped")
    fields = groups[_TIMESTAMP : -_SIGNATURE - _CHECKSUM]
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
            return _to_bytes(content)
        at += 3 + length
    return b""


def _to_bytes(groups: list[int]) -> bytes:
    """256 bits from 52 groups of five; the four left over have to be zero."""
    number = 0
    for group in groups:
        number = number << 5 | group
    if number & 0xF:
        raise EcashError("the invoice's fields are malformed")
    return (number >> 4).to_bytes(32, "big")


def _checksum(prefix: str, groups: list[int]) -> int:
    """Bech32 (BIP 173); 1 for a valid text."""
    values = [ord(char) >> 5 for char in prefix] + [0] + [ord(char) & 31 for char in prefix]
    state = 1
    for value in values + groups:
        top = state >> 25
        state = (state & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate(_GENERATORS):
            if top >> bit & 1:
                state ^= generator
    return state
