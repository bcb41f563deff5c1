"""Control protocol: tokens that were handed out, and waiting for mints."""

from __future__ import annotations

from typing import Literal

from engine.control.protocol.frames import Params, Result


class SentToken(Result, frozen=True):
    """`state` is waiting (it can still be redeemed or taken back), taken or returned; `left_sat` of
    it is not known to be spent. Amounts are in `unit`."""

    op_id: str
    mint: str
    amount_sat: int
    unit: str = "sat"
    ts: float = 0.0
    state: str = "waiting"
    left_sat: int = 0
    token: str = ""


class SentParams(Params, frozen=True):
    """The newest `limit` tokens; asks no mint."""

    limit: int = 50


class SentTokenParams(Params, frozen=True):
    op_id: str


class TakenBack(Result, frozen=True):
    amount_sat: int


class WaitParams(Params, frozen=True):
    """Wait until an invoice is paid (`kind` fund) or a payment is decided (melt), both by their
    quote `id` and `mint`, or until a token is taken (sent), by its `op_id` as `id`. The answer
    comes then, or after `timeout_s`; the mint is kept on the line only so long. A `handle` of the
    caller's choice lets `wallet.wait.stop` end it before."""

    kind: Literal["fund", "melt", "sent"]
    id: str
    mint: str = ""
    timeout_s: float = 600.0
    handle: str = ""


class Waited(Result, frozen=True):
    """`state` is the final one, empty when the time was over; of a paid invoice `minted_sat` is in
    the wallet. `live`: the mint told of it by itself."""

    state: str = ""
    live: bool = False
    minted_sat: int = 0


class WaitStopParams(Params, frozen=True):
    handle: str
