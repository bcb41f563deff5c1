"""How much a client pays at once, so that what is at stake stays within one chunk, fees included.

    lot     the most that coins worth half a chunk pay for, their mint's fee taken off
    fee     the most that one payment's coins carry for the fee (NUT-02), with `fee_ppk` per coin

Coins are made for a payment exactly (`amounts.fee_included`), so nothing else is handed out. Pure.
"""

from __future__ import annotations

from engine.market.credit import MSAT
from wallet.ecash.amounts import fee_included, input_fee

PAYMENTS_AT_ONCE = 4
"""Of so many payments a part of the credit can be left: one ahead, one when a question is accepted,
one before its first word, and the one that is made now."""


def coins_for(sat: int, fee_ppk: int) -> int:
    """What coins made for a payment of exactly `sat` are worth."""
    return sat + fee_included(sat, fee_ppk)


def most_for(coins_sat: int, fee_ppk: int) -> int:
    """The largest payment that needs no more than coins worth this; 0 for none."""
    for sat in range(coins_sat, 0, -1):
        if coins_for(sat, fee_ppk) <= coins_sat:
            return sat
    return 0


def most_fee_sat(chunk_msat: int, fee_ppk: int) -> int:
    """The most that a payment of no more than this carries for the fee."""
    coins = (chunk_msat // MSAT).bit_length() + 1
    return input_fee([fee_ppk] * coins)


def lot_sat(chunk_msat: int, fee_ppk: int = 0) -> int:
    """What one payment made ahead is worth: its coins are half a chunk, so that one of them is due
    each time half a chunk was used. 0 when the fee takes all of it."""
    return most_for(chunk_msat // MSAT // 2, fee_ppk)


def is_payable(chunk_msat: int, fee_ppk: int) -> bool:
    """Whether chunks so small can be paid with coins of so dear a mint: what an answer waits for
    (half a chunk at most), rounded up, and the fees then always fit into one chunk."""
    spare_sat = chunk_msat // MSAT // 2 - 1
    return lot_sat(chunk_msat, fee_ppk) > 0 and spare_sat >= (PAYMENTS_AT_ONCE - 1) * most_fee_sat(
        chunk_msat, fee_ppk
    )


def first_stake_sat(first_msat: int, chunk_msat: int, fee_ppk: int) -> int:
    """What is at most at stake before the first word of an answer that needs `first_msat` until
    then: that, rounded up, with the fees of its payments."""
    fee = most_fee_sat(max(first_msat, chunk_msat), fee_ppk)
    return -(-first_msat // MSAT) + 1 + PAYMENTS_AT_ONCE * fee


def payment_sat(room_sat: int, chunk_msat: int, fee_ppk: int, *, needed_sat: int = 0) -> int:
    """What to pay now with coins worth no more than `room_sat`: whole lots, which are made ahead;
    as much as there is room for when the answer waits for `needed_sat` and lots are not enough. 0
    when there is no room for what is needed."""
    lot = lot_sat(chunk_msat, fee_ppk)
    whole = room_sat // coins_for(lot, fee_ppk) * lot if lot else 0
    if whole >= max(1, needed_sat):
        return whole
    most = most_for(room_sat, fee_ppk) if needed_sat else 0
    return most if most >= max(1, needed_sat) else 0
