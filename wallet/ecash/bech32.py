"""Bech32 (BIP 173) and Bech32m (BIP 350): text of five bits a character with a checksum. Pure.

What the bits mean is the business of invoices (`bolt11`) and payment requests (`creqb`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from wallet.ecash.errors import EcashError

CHARSET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
VALUES = {char: value for value, char in enumerate(CHARSET)}
BECH32, BECH32M = 1, 0x2BC830A3
CHECKSUM_GROUPS = 6
_GENERATORS = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)


def split(text: str) -> tuple[str, list[int]]:
    """(prefix, groups with the checksum). Raises EcashError; the checksum is not looked at."""
    if not text.isascii() or text not in (text.lower(), text.upper()):
        raise EcashError("it mixes small and capital letters, or has others")
    prefix, found, data = text.lower().rpartition("1")
    if not found or any(char not in VALUES for char in data):
        raise EcashError("it has characters that do not belong there")
    return prefix, [VALUES[char] for char in data]


def state(prefix: str, groups: Iterable[int]) -> int:
    """Where the checksum's machine ends: BECH32 or BECH32M for a valid text of that kind."""
    values = [ord(char) >> 5 for char in prefix] + [0] + [ord(char) & 31 for char in prefix]
    found = 1
    for value in [*values, *groups]:
        top = found >> 25
        found = (found & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate(_GENERATORS):
            if top >> bit & 1:
                found ^= generator
    return found


def join(prefix: str, groups: Sequence[int], kind: int) -> str:
    """The text, in capitals: QR codes are smaller then."""
    end = state(prefix, [*groups, *[0] * CHECKSUM_GROUPS]) ^ kind
    checksum = [end >> 5 * (CHECKSUM_GROUPS - 1 - place) & 31 for place in range(CHECKSUM_GROUPS)]
    return (prefix + "1" + "".join(CHARSET[group] for group in [*groups, *checksum])).upper()


def to_groups(data: bytes) -> list[int]:
    """Bytes as groups of five bits, zeros at the end."""
    bits = len(data) * 8
    number = int.from_bytes(data, "big") << -bits % 5
    count = -(-bits // 5)
    return [number >> 5 * (count - 1 - place) & 31 for place in range(count)]


def to_bytes(groups: Sequence[int]) -> bytes:
    """The bytes again. Raises EcashError when what is left over is a group or not zero."""
    number = 0
    for group in groups:
        number = number << 5 | group
    spare = len(groups) * 5 % 8
    if spare >= 5 or number & ((1 << spare) - 1):
        raise EcashError("its end is malformed")
    return (number >> spare).to_bytes(len(groups) * 5 // 8, "big")
