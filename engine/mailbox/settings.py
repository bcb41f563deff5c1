"""The `[mailbox]` table of a relay's settings, as a value."""

from __future__ import annotations

from dataclasses import dataclass

MAX_HOLD_MS = 10_000


@dataclass(frozen=True)
class MailboxSettings:
    """What a relay offers to the packet plane. `slots` and `memory_mib` bound its memory."""

    enabled: bool = True
    hold_ms: int = 250  # mean of the random time a packet is held back
    slots: int = 65_536
    memory_mib: int = 64  # for packets in boxes

    @property
    def hold_s(self) -> float:
        """The mean hold in seconds."""
        return self.hold_ms / 1_000
