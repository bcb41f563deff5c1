"""Which mints pay how much: parts of one invoice, and moves that even out balances. Pure arithmetic
over what each mint can give; nothing is asked and nothing is spent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

# Smaller moves cost more in fees than they are worth.
LEAST_MOVE, LEAST_MOVE_PERCENT = 10, 1


@dataclass(frozen=True, slots=True)
class Transfer:
    source: str
    target: str
    amount: int


def parts_of(amount: int, room: Mapping[str, int]) -> dict[str, int] | None:
    """How much each mint pays so that as few as possible do, the richest first; None when all
    together cannot. `room` is what each can pay after its fees."""
    parts: dict[str, int] = {}
    left = amount
    for mint in sorted(room, key=lambda mint: (-room[mint], mint)):
        share = min(left, room[mint])
        if share <= 0:
            break
        parts[mint] = share
        left -= share
    return parts if left <= 0 else None


def evened(balances: Mapping[str, int], shares: Mapping[str, int]) -> list[Transfer]:
    """The moves after which each mint has its share of the whole, up to what is not worth a move.
    Shares are weights; a mint without one is left as it is."""
    whole = sum(balances.get(mint, 0) for mint in shares)
    weight = sum(shares.values())
    if weight <= 0 or min(shares.values()) < 0:
        return []
    over = {mint: balances.get(mint, 0) - whole * part // weight for mint, part in shares.items()}
    least = max(LEAST_MOVE, whole * LEAST_MOVE_PERCENT // 100)
    moves: list[Transfer] = []
    while True:
        source = max(over, key=lambda mint: (over[mint], mint))
        target = min(over, key=lambda mint: (over[mint], mint))
        amount = min(over[source], -over[target])
        if amount < least:
            return moves
        moves.append(Transfer(source, target, amount))
        over[source] -= amount
        over[target] += amount


def unevenness(balances: Mapping[str, int]) -> int:
    """Percent of the whole that lies where it would not, were it spread evenly."""
    whole = sum(balances.values())
    if not whole:
        return 0
    even = whole / len(balances)
    return round(100 * sum(max(0.0, have - even) for have in balances.values()) / whole)
