"""Moving ecash between mints with the fees known first: single moves, and evening out.

A move is quoted by two mints (an invoice of the one, what the other takes for paying it) and
carried out by the names of these quotes, so that what was shown is what is done. Nothing of its own
is journalled: see `wallet.moving`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from wallet.accounts import SAT, unit_of
from wallet.ecash import amounts
from wallet.errors import BadAmount, InsufficientFunds, WalletError
from wallet.mints import MintBook
from wallet.moving import carry_out, quote_move
from wallet.parting import evened, unevenness
from wallet.prepare import heaps_at, positive, still_resting
from wallet.store import Store
from wallet.transfers import Transfers
from wallet.types import Moved, MoveQuote

ATTEMPTS = 3
# Evening out by itself does not pay more than this for it.
MOST_FEE_PERCENT = 3
NO_MINTING, NO_MELTING = 4, 5


class Balancing:
    def __init__(self, store: Store, mints: MintBook, transfers: Transfers) -> None:
        self._store = store
        self._mints = mints
        self._transfers = transfers

    async def quote_move(
        self, source: str, target: str, amount_sat: int, *, less: bool = False
    ) -> MoveQuote:
        """What having `amount_sat` at `target` that is at `source` costs. With `less` it may be
        less than that, by what the fees leave. Asks both mints; moves nothing."""
        source, target = self._mints.require(source), self._mints.require(target)
        for _ in range(ATTEMPTS):
            positive(amount_sat)
            quote = await quote_move(self._transfers, source, target, amount_sat)
            needed = amount_sat + quote.fee_reserve_sat
            short = await self._short(source, needed)
            if short <= 0:
                return quote
            if not less:
                break
            amount_sat -= short
        have = needed - short
        resting = await self._store.run(lambda tx: still_resting(tx, [source], needed, have))
        raise resting or InsufficientFunds(
            f"This needs {needed} {unit_of(source)} with the fees, {short} more than there are at"
            f" {source}.",
            needed_sat=needed,
            available_sat=have,
            kept="Nothing was moved.",
            hint="Move less.",
        )

    async def _short(self, mint: str, needed: int) -> int:
        """How much is missing there to pay this and the input fees."""
        heaps = await self._store.run(lambda tx: heaps_at(tx, self._mints, mint))
        if amounts.select_heaps(heaps, needed) is not None:
            return 0
        return max(1, needed + amounts.input_fee_of(heaps) - amounts.value_of(heaps))

    async def run(self, moves: Sequence[MoveQuote]) -> list[Moved]:
        """Carry out what was quoted, one after the other. A move that fails leaves its ecash where
        it was or under way, `arrived` False; the next ones are still tried."""
        done: list[Moved] = []
        for move in moves:
            try:
                done.append(await carry_out(self._transfers, move))
            except WalletError as exc:
                done.append(Moved(move.amount_sat, 0, arrived=False, trouble=exc.message))
        return done

    async def quote_even(self, shares: Mapping[str, int] | None = None) -> list[MoveQuote]:
        """The moves after which each mint has its share (weights by mint; without any: the same for
        all in sat that answer). Mints that are not named keep what they have. Empty when nothing is
        worth a move. Asks the mints; moves nothing."""
        balances = await self._balances()
        if shares is None:
            wanted = dict.fromkeys(filter(self._usable, balances), 1)
        else:
            wanted = {
                self._mints.require_sat(url, "Balances are evened out"): part
                for url, part in shares.items()
            }
        if len(wanted) < 2:
            raise BadAmount("Evening out needs two mints.", kept="Nothing was moved.")
        if sum(wanted.values()) <= 0 or min(wanted.values()) < 0:
            raise BadAmount("Shares are whole numbers, not all of them 0.")
        return [
            await self.quote_move(move.source, move.target, move.amount, less=True)
            for move in evened(balances, wanted)
        ]

    async def keep_even(self, percent: int) -> list[Moved]:
        """Even out when more than `percent` of the whole lie elsewhere than they would, spread
        evenly; only what costs little."""
        usable = {url: have for url, have in (await self._balances()).items() if self._usable(url)}
        if len(usable) < 2 or unevenness(usable) <= percent:
            return []
        moves = await self.quote_even()
        cheap = [m for m in moves if m.fee_reserve_sat * 100 <= m.amount_sat * MOST_FEE_PERCENT]
        return await self.run(cheap)

    async def _balances(self) -> dict[str, int]:
        sums = await self._store.run(lambda tx: tx.proofs.sums())
        urls = [url for url in self._mints.urls() if unit_of(url) == SAT]
        return {url: sums[url][0] if url in sums else 0 for url in urls}

    def _usable(self, url: str) -> bool:
        off = self._mints.disabled(url)
        answers = not self._mints.client(url).last_error
        return answers and NO_MINTING not in off and NO_MELTING not in off
