"""What an invoice asks for, held against what a mint says of it: an amount is no mint's to choose.

An invoice of one mint is paid by another one (a move, evening out), or by a wallet elsewhere: a
mint that makes it for more than was asked for would be paid by the honest one out of our ecash.
Pure; asks nobody.
"""

from __future__ import annotations

from wallet.ecash import bolt11
from wallet.ecash.errors import EcashError
from wallet.errors import BadAmount, MintLied

_MSAT_OF = {"sat": 1000, "msat": 1}
_SCHEME = "lightning:"


def plain(text: str) -> str:
    """The invoice itself, out of the link that wallets put into QR codes and pages (BOLT11 URI)."""
    text = text.strip()
    return text[len(_SCHEME) :] if text.lower().startswith(_SCHEME) else text


def asked_msat(invoice: str) -> int:
    """What an invoice asks for. Raises BadAmount for what is none or leaves the amount open."""
    try:
        amount = bolt11.decode(invoice).amount_msat
    except EcashError as exc:
        said = "" if str(exc) == bolt11.NOT_ONE else f": {exc}"
        raise BadAmount(f"This is {bolt11.NOT_ONE}{said}.", kept="Nothing was paid.") from exc
    if not amount:
        raise BadAmount("The invoice leaves the amount open.", kept="Nothing was paid.")
    return amount


def check_made(url: str, unit: str, invoice: str, amount: int) -> None:
    """An invoice a mint made for us: whole, and for exactly `amount` (in `unit`; the rate of usd is
    the mint's affair). Raises MintLied."""
    try:
        found = asked_msat(invoice)
    except BadAmount as exc:
        raise _lied(url, "made no whole invoice") from exc
    factor = _MSAT_OF.get(unit)
    if factor is not None and found != amount * factor:
        raise _lied(url, "made an invoice for another amount")


def check_price(url: str, unit: str, msat: int, price: int) -> None:
    """What a mint wants for an invoice of `msat`, before its fees: that, rounded up at most (the
    rate of usd is the mint's affair). Raises MintLied."""
    factor = _MSAT_OF.get(unit)
    if factor is not None and price not in (msat // factor, -(-msat // factor)):
        raise _lied(url, f"wants {price} {unit} for an invoice of {-(-msat // factor)}")


def _lied(url: str, how: str) -> MintLied:
    return MintLied(f"The mint {url} {how}.", kept="Nothing was paid.", hint="Use another mint.")
