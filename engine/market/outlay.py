"""The coins a client handed to one ghost and has not used up: what is at stake with it.

A payment's coins are worth more than what it buys: they carry the mint's fee for taking them, and
change as long as that has not come back. Who vanishes, or keeps the change, keeps that too. So it
counts as long as anything is left of the credit that the payment bought: credit is used in the
order in which it was paid for, and what is left is that of the newest payments. Pure arithmetic.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from engine.market.credit import MSAT


@dataclass(slots=True)
class _Bought:
    msat: int
    carried_sat: int


class Outlay:
    """Payments of one session that its ghost has taken. Amounts are sat unless they say msat."""

    def __init__(self) -> None:
        self._bought: deque[_Bought] = deque()
        self.lost_sat = 0
        """What payments cost that came back, because their ghost did not take them."""

    def __repr__(self) -> str:
        return f"Outlay(payments={len(self._bought)})"

    def add(self, sat: int, coins_sat: int) -> None:
        """A payment of `sat` was taken, with coins worth `coins_sat`."""
        self._bought.append(_Bought(sat * MSAT, coins_sat - sat))

    def adopt(self, credit_msat: int, carried_sat: int) -> None:
        """Credit that an earlier process paid for, with no more than this beyond it."""
        self._bought.clear()
        self._bought.append(_Bought(credit_msat, carried_sat))

    def change_came(self, sat: int) -> None:
        """Change of the newest payment is back."""
        if self._bought:
            newest = self._bought[-1]
            newest.carried_sat = max(0, newest.carried_sat - sat)

    def carried_sat(self, left_msat: int) -> int:
        """What the payments carried of which `left_msat` of credit is not used up, and what is lost
        already."""
        carried = self.lost_sat
        for bought in reversed(self._bought):
            if left_msat <= 0:
                break
            carried += bought.carried_sat
            left_msat -= bought.msat
        return carried

    def forget_beyond(self, balance_msat: int) -> None:
        """Bills took the credit down to this: payments older than what it holds are used up."""
        held = sum(bought.msat for bought in self._bought)
        while self._bought and held - self._bought[0].msat >= balance_msat:
            held -= self._bought.popleft().msat
