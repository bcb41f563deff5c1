"""What a thief finds in an object: every string of bytes that can be reached from it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping


def bytes_within(root: object) -> list[bytes]:
    """Every bytes and bytearray reachable through containers, attributes and slots of `root`."""
    found: list[bytes] = []
    seen: set[int] = set()
    waiting = [root]
    while waiting:
        thing = waiting.pop()
        if id(thing) in seen:
            continue
        seen.add(id(thing))
        if isinstance(thing, bytes | bytearray | memoryview):
            found.append(bytes(thing))
        else:
            waiting.extend(_parts(thing))
    return found


def _parts(thing: object) -> Iterable[object]:
    if isinstance(thing, Mapping):
        return [*thing.keys(), *thing.values()]
    if isinstance(thing, list | tuple | set | frozenset):
        return list(thing)
    parts = list(getattr(thing, "__dict__", {}).values())
    for kind in type(thing).__mro__:
        names = getattr(kind, "__slots__", ())
        for name in (names,) if isinstance(names, str) else names:
            if hasattr(thing, name):
                parts.append(getattr(thing, name))
    return parts
