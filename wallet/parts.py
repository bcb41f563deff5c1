"""One invoice paid by several mints at once, each a part of it (NUT-15).

Every part is an ordinary payment of the journal at its own mint. The receiver of a Lightning
payment takes all parts or none, so a part whose fellows fail comes back; until its mint says so it
is held.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import trio

from wallet.ecash import bolt11
from wallet.ecash.errors import EcashError
from wallet.errors import BadAmount, WalletError
from wallet.mints import MintBook
from wallet.transfers import Transfers
from wallet.types import MeltQuote, MeltResult

MSAT = 1000
# A mint ("" for the only one it can be) and the name it gave the payment.
Part = tuple[str, str]


async def quote_parts(
    transfers: Transfers, mints: MintBook, invoice: str, parts: Mapping[str, int]
) -> list[MeltQuote]:
    """What each part costs; `parts` is sat by mint and must add up to the invoice. Raises BadAmount
    when it does not or a mint cannot pay parts, WrongUnit, MintProblem."""
    try:
        asked = bolt11.decode(invoice.strip()).amount_msat
    except EcashError as exc:
        raise BadAmount(f"This is not an invoice: {exc}.", kept="Nothing was paid.") from exc
    accounts = {mints.require_sat(url, "Parts are paid"): sat for url, sat in parts.items()}
    if len(accounts) < 2 or min(accounts.values()) <= 0:
        raise BadAmount("A payment in parts needs an amount from at least two mints.")
    if asked != sum(accounts.values()) * MSAT:
        raise BadAmount("The parts do not add up to the invoice.", kept="Nothing was paid.")
    for url in accounts:
        if not mints.pays_parts(url):
            raise BadAmount(
                f"The mint {url} does not pay parts of invoices.", kept="Nothing was paid."
            )
    return [await transfers.melt_quote(url, invoice, part_sat=sat) for url, sat in accounts.items()]


async def pay_parts(transfers: Transfers, parts: Sequence[Part]) -> list[MeltResult]:
    """Pay all parts at once; in their order. A part that failed or waits has `paid` False: `state`
    says UNPAID (its ecash is back) or PENDING (held until its mint decides)."""
    for mint, quote_id in parts:
        await transfers.melt_row(quote_id, mint)  # none is paid when one is not known
    results: dict[Part, MeltResult] = {}

    async def one(part: Part) -> None:
        mint, quote_id = part
        try:
            results[part] = await transfers.melt(quote_id, mint)
        except WalletError:
            state = "PENDING" if await transfers.is_open(quote_id, mint) else "UNPAID"
            results[part] = MeltResult(False, 0, 0, state)

    async with trio.open_nursery() as nursery:
        for part in parts:
            nursery.start_soon(one, part)
    return [results[part] for part in parts]
