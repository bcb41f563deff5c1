"""Control protocol: moves between mints with their fees first, and how an invoice would be paid."""

from __future__ import annotations

from engine.control.protocol.frames import Params, Result


class MoveQuoteParams(Params, frozen=True):
    """What having `amount_sat` at `target` costs that is at `source`. Asks both; moves nothing."""

    source: str
    target: str
    amount_sat: int


class MoveQuote(Result, frozen=True):
    """At most `fee_reserve_sat` come on top; `fund_id` and `pay_id` are the two mints' names of
    it, which `wallet.moves` takes back."""

    source: str
    target: str
    amount_sat: int
    fee_reserve_sat: int = 0
    fund_id: str = ""
    pay_id: str = ""
    unit: str = "sat"


class EvenQuoteParams(Params, frozen=True):
    """The moves after which each mint has its share: weights by mint, without any the same for all
    in sat. Mints that are not named keep what they have."""

    shares: dict[str, int] | None = None


class QuotedMove(Params, frozen=True):
    source: str
    target: str
    amount_sat: int
    fund_id: str
    pay_id: str
    fee_reserve_sat: int = 0
    unit: str = "sat"


class MovesParams(Params, frozen=True):
    moves: list[QuotedMove]


class SwapParams(Params, frozen=True):
    """Every coin at this mint for a fresh one: copies of them are worth nothing then."""

    mint: str


class Swapped(Result, frozen=True):
    amount_sat: int
    unit: str = "sat"


class PayQuoteParams(Params, frozen=True):
    """How the wallet would pay an invoice, or a Lightning address with an amount: the answer is one
    quote, for `wallet.melt`, or several parts for `wallet.parts.pay`."""

    invoice: str
    amount_sat: int | None = None
