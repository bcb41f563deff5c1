"""The wallet's methods about tokens that are out, as the control protocol names them.

A thin border like `engine.handlers`: no policy lives here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from engine.control.protocol.tokens import SentToken, TakenBack
from engine.control.server import Handler
from engine.handlers import to_its_end
from wallet import types
from wallet.accounts import unit_of
from wallet.wallet import Wallet


class EcashHandlers:
    """Answers from one wallet; `changed` is called after money has moved."""

    def __init__(self, wallet: Wallet, *, changed: Callable[[], None]) -> None:
        self._wallet = wallet
        self._changed = changed

    def table(self) -> Mapping[str, Handler]:
        """Method name to handler."""
        return {
            "wallet.sent": self.sent,
            "wallet.sent.check": self.check_sent,
            "wallet.sent.back": to_its_end(self.take_back),
        }

    async def sent(self, params: dict[str, Any]) -> list[SentToken]:
        return [_sent(token) for token in await self._wallet.sent.recent(params["limit"])]

    async def check_sent(self, params: dict[str, Any]) -> SentToken:
        return _sent(await self._wallet.sent.check(params["op_id"]))

    async def take_back(self, params: dict[str, Any]) -> TakenBack:
        came = await self._wallet.sent.take_back(params["op_id"])
        self._changed()
        return TakenBack(amount_sat=came)


def _sent(token: types.SentToken) -> SentToken:
    return SentToken(
        op_id=token.op_id,
        mint=token.mint,
        amount_sat=token.amount_sat,
        unit=unit_of(token.mint),
        ts=token.ts,
        state=token.state,
        left_sat=token.left_sat,
        token=token.token if token.state == "waiting" else "",
    )
