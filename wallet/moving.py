"""Ecash from mint to mint, by a Lightning payment from one to the other, and late arrivals.

Nothing of its own is journalled: the melt is an operation, the invoice is a quote in the store, and
a paid invoice is collected whenever somebody looks.
"""

from __future__ import annotations

from wallet.accounts import SAT, unit_of
from wallet.errors import BadAmount, MintProblem, WrongUnit
from wallet.store import Store
from wallet.transfers import Transfers
from wallet.types import Moved, MoveQuote


async def move(transfers: Transfers, source: str, target: str, amount_sat: int) -> Moved:
    """Have `amount_sat` at `target` that was at `source`, for the fees of a payment."""
    return await carry_out(transfers, await quote_move(transfers, source, target, amount_sat))


async def quote_move(transfers: Transfers, source: str, target: str, amount_sat: int) -> MoveQuote:
    """What that costs: both mints are asked, nothing is moved."""
    if source.rstrip("/") == target.rstrip("/"):
        raise BadAmount("Both names are the same mint.", kept="Nothing was moved.")
    if unit_of(source) != unit_of(target):
        raise WrongUnit(
            f"The ecash is in {unit_of(source)} and would be in {unit_of(target)}.",
            kept="Nothing was moved.",
            hint="Units are not exchanged; paying an invoice of the other mint takes its rate.",
        )
    invoice = await transfers.request_mint(target, amount_sat)
    quote = await transfers.melt_quote(source, invoice.invoice)
    # Of accounts in usd the invoice may cost more than it brings: two mints, two rates.
    cost = max(0, quote.amount_sat + quote.fee_reserve_sat - amount_sat)
    return MoveQuote(source, target, amount_sat, cost, invoice.quote_id, quote.quote_id)


async def carry_out(transfers: Transfers, quoted: MoveQuote) -> Moved:
    """The move that was quoted, by the names of its quotes."""
    amount_sat = (await transfers.mint_row(quoted.fund_id, quoted.target)).amount
    price = (await transfers.melt_row(quoted.pay_id, quoted.source)).amount
    done = await transfers.melt(quoted.pay_id, quoted.source)
    if not done.paid:
        return Moved(amount_sat, 0, arrived=False)
    cost = max(0, price + done.fee_sat - amount_sat)
    try:
        arrived = await transfers.complete_mint(quoted.fund_id, quoted.target)
    except MintProblem:
        return Moved(amount_sat, cost, arrived=False)
    return Moved(arrived, cost, arrived=True)


async def collect(store: Store, transfers: Transfers) -> int:
    """Take the ecash of invoices that were paid since; how much of it came in sat. One whose mint
    does not answer waits."""
    rows = await store.run(lambda tx: tx.quotes.open_mint())
    total = 0
    for mint, quote_id in rows:
        try:
            came = await transfers.complete_mint(quote_id, mint)
        except MintProblem:
            continue
        total += came if unit_of(mint) == SAT else 0
    return total
