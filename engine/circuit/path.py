"""What a circuit is built along: the hops, as values. No choice is made here."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Hop:
    """One hop of a path: who it is, where it listens, the onion key believed to be its own."""

    node_id: bytes
    host: str
    port: int
    onion_key: bytes
    role: str  # "guard", "middle", "exit", "ghost"

    @property
    def short_id(self) -> str:
        """The first eight hex digits of the NodeID, as users see it."""
        return self.node_id.hex()[:8]
