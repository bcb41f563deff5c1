"""A writer of small MaxMind databases, as far as a test needs one (MaxMind DB format 2.0)."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping

_MARK = b"\xab\xcd\xefMaxMind.com"
_RECORD_BITS = 24
_NUMBERS = {"node_count": 6, "autonomous_system_number": 6, "build_epoch": 9}  # others: uint16


def _head(kind: int, size: int) -> bytes:
    """The control byte of a value, with its extended type where it has one."""
    if kind < 8:
        return bytes([kind << 5 | size])
    return bytes([size, kind - 7])


def _value(value: object, name: str = "") -> bytes:
    if isinstance(value, str):
        raw = value.encode()
        return _head(2, len(raw)) + raw
    if isinstance(value, int):
        raw = value.to_bytes(8, "big").lstrip(b"\0")
        return _head(_NUMBERS.get(name, 5), len(raw)) + raw
    if isinstance(value, Mapping):
        parts = [_value(str(key)) + _value(one, str(key)) for key, one in value.items()]
        return _head(7, len(parts)) + b"".join(parts)
    if isinstance(value, list):
        return _head(11, len(value)) + b"".join(_value(one) for one in value)
    raise TypeError(type(value))


def mmdb(records: Mapping[str, Mapping[str, object]], kind: str, built: int) -> bytes:
    """A database of IPv4 prefixes."""
    nodes: list[list[int | str | None]] = [[None, None]]
    for prefix in records:
        net = ipaddress.IPv4Network(prefix)
        bits = f"{int(net.network_address):032b}"[: net.prefixlen]
        at = 0
        for bit in bits[:-1]:
            below = nodes[at][int(bit)]
            if not isinstance(below, int):
                nodes.append([None, None])
                below = nodes[at][int(bit)] = len(nodes) - 1
            at = below
        nodes[at][int(bits[-1])] = prefix
    data, places = b"", {}
    for prefix, record in records.items():
        places[prefix] = len(data)
        data += _value(record)

    def pointer(target: int | str | None) -> bytes:
        if target is None:
            number = len(nodes)
        elif isinstance(target, str):
            number = len(nodes) + 16 + places[target]
        else:
            number = target
        return number.to_bytes(_RECORD_BITS // 8, "big")

    tree = b"".join(pointer(side) for node in nodes for side in node)
    about = {
        "binary_format_major_version": 2,
        "binary_format_minor_version": 0,
        "build_epoch": built,
        "database_type": kind,
        "description": {"en": kind},
        "ip_version": 4,
        "languages": ["en"],
        "node_count": len(nodes),
        "record_size": _RECORD_BITS,
    }
    return tree + bytes(16) + data + _MARK + _value(about)
