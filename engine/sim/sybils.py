"""Members of the DHT that work together against everyone else. Sans-IO."""

from __future__ import annotations

from engine.directory.dht.members import Member, Members
from engine.wire import dht as wire


class Sybil:
    """A member that works for the adversary: it knows all others of its kind, says it stored what
    it did not, holds no records, and names its own kind nearest to whatever is asked for."""

    def __init__(self, member: Member, ring: Members) -> None:
        self.member = member
        self._ring = ring

    def answer(self, request: wire.Message) -> wire.Answer | None:
        """What it says to a question."""
        match request:
            case wire.Ping(request_id=name):
                return wire.Pong(name)
            case wire.FindNode(request_id=name, target=target):
                return wire.Nodes(name, self._kind(target))
            case wire.FindValue(request_id=name, key=key):
                return wire.Values(name, 0, (), self._kind(key))
            case wire.Store(request_id=name):
                return wire.Stored(name, wire.Verdict.KEPT)
            case _:
                return None

    def _kind(self, target: bytes) -> tuple[bytes, ...]:
        near = self._ring.closest(int.from_bytes(target, "big"), wire.MAX_CONTACTS)
        return tuple(member.node_id for member in near)
