"""What the wallet keeps apart: a mint, and a unit of it.

An account is written as the mint's address, for another unit than sat with `#unit` after it. All
that is kept or chosen by mint (coins, operations, invoices, history) goes by this name, so ecash of
two units cannot meet. A mint never sees it.
"""

from __future__ import annotations

from collections.abc import Sequence

from wallet.ecash.errors import EcashError
from wallet.ecash.tokens import Token, check_mint_url
from wallet.ecash.types import Proof
from wallet.errors import UntrustedMint

SAT = "sat"
# msat: thousandths of a sat; usd: cents. As mints count them.
UNITS = (SAT, "msat", "usd")


def split(account: str) -> tuple[str, str]:
    """(the mint's address, the unit). What is no unit of ours stays with the address."""
    url, mark, unit = account.rpartition("#")
    return (url, unit) if mark and unit in UNITS else (account, SAT)


def join(url: str, unit: str) -> str:
    return url if unit == SAT else f"{url}#{unit}"


def unit_of(account: str) -> str:
    return split(account)[1]


def token(account: str, proofs: Sequence[Proof], memo: str) -> Token:
    """Ecash of an account as others read it."""
    url, unit = split(account)
    return Token(url, tuple(proofs), unit=unit, memo=memo)


def normal(url: str) -> str:
    """An account's name in its one spelling (`wallet.accounts`). Raises UntrustedMint."""
    address, unit = split(url)
    try:
        return join(check_mint_url(address), unit)
    except EcashError as exc:
        raise UntrustedMint(
            f"This is not a mint's address: {exc}.",
            hint="It looks like https://mint.example or http://127.0.0.1:3338.",
        ) from exc
