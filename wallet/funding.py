"""Funding as the policy says: over several mints, for amounts that many wallets ask for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

from wallet.accounts import SAT, unit_of
from wallet.errors import MintProblem, UntrustedMint
from wallet.mints import MintBook
from wallet.prepare import positive
from wallet.transfers import Transfers
from wallet.types import MintQuote

Parts = Callable[[int, Sequence[str], Random], Sequence[tuple[str, int]]]
"""How an amount in sat is spread over mints: `wallet.policy.Policy.parts`."""


async def request_spread(
    transfers: Transfers, mints: MintBook, parts_of: Parts, rng: Random, amount_sat: int
) -> list[MintQuote]:
    """Invoices for the amount, one a part. One that a mint does not give is left out; MintProblem
    when none gives any, UntrustedMint when no mint in sat is known, BadAmount."""
    positive(amount_sat)
    urls = [url for url in mints.urls() if unit_of(url) == SAT]
    if not urls:
        raise UntrustedMint("The wallet knows no mint in sat.", hint="Add one first.")
    found: list[MintQuote] = []
    trouble: MintProblem | None = None
    for url, part in parts_of(amount_sat, urls, rng):
        try:
            found.append(await transfers.request_mint(url, part))
        except MintProblem as exc:
            trouble = exc
    if trouble is not None and not found:
        raise trouble
    return found
