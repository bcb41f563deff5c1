"""Taking a mint off the list. Nothing of ours may be there; what was there stays in the history.

Its counters stay, too: a mint that is added again is never shown a secret twice.
"""

from __future__ import annotations

from wallet.errors import MintProblem
from wallet.mints import MintBook
from wallet.store import Store, Transaction


async def forget(url: str, store: Store, mints: MintBook) -> str:
    """Returns the account's name in its normal spelling. Asks no mint. Raises UntrustedMint for one
    that is not on the list, MintProblem while something of ours is, or may come to be, there."""
    url = mints.require(url)

    def work(tx: Transaction) -> None:
        why = _kept_by(tx, url)
        if why:
            what, hint = why
            raise MintProblem(
                f"The mint {url} is still needed: {what}.", kept="It stays on the list.", hint=hint
            )
        tx.mints.remove(url)

    await store.run(work)
    mints.drop(url)
    return url


def _kept_by(tx: Transaction, url: str) -> tuple[str, str] | None:
    """What keeps it on the list, and what to do about that."""
    if any(row.mint == url for row in tx.operations.open()):
        return "a payment there is not at its end", "Wait; it is brought to its end by itself."
    if tx.proofs.any_sent(url):
        hint = "Take them back, or see whether they were taken: peer2prompt wallet sent --check"
        return "tokens made of its ecash wait to be taken", hint
    if tx.proofs.any_at(url):
        return "ecash of yours is there", "Move it: peer2prompt wallet move AMOUNT --from URL"
    if any(mint == url for mint, _ in tx.quotes.open_mint()):
        return "an invoice of it may still be paid", "Wait until the invoice has expired."
    return None
