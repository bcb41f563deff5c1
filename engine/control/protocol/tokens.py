"""Control protocol: tokens that were handed out."""

from __future__ import annotations

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
