"""The wallet's methods about tokens that are out, moves between mints, and waiting for mints.

A thin border like `engine.handlers`: no policy lives here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import trio
from msgspec import structs

from engine.control.protocol.frames import Empty
from engine.control.protocol.moves import MoveQuote, Swapped
from engine.control.protocol.tokens import SentToken, TakenBack, Waited
from engine.control.protocol.wallet import MeltQuote, MoveResult
from engine.control.server import Handler
from engine.handlers import to_its_end
from engine.wallet_views import melt_quote, move_quote, move_result, sent_token
from wallet import types
from wallet.accounts import unit_of
from wallet.wallet import Wallet


class EcashHandlers:
    """Answers from one wallet; `changed` is called after money has moved."""

    def __init__(self, wallet: Wallet, *, changed: Callable[[], None]) -> None:
        self._wallet = wallet
        self._changed = changed
        self._complete = to_its_end(self._take_paid)
        self._waits: dict[str, trio.CancelScope] = {}

    def table(self) -> Mapping[str, Handler]:
        """Method name to handler."""
        return {
            "wallet.sent": self.sent,
            "wallet.sent.check": self.check_sent,
            "wallet.sent.back": to_its_end(self.take_back),
            "wallet.pay.quote": self.pay_quote,
            "wallet.move.quote": self.move_quote,
            "wallet.even.quote": self.even_quote,
            "wallet.swap": to_its_end(self.swap),
            "wallet.moves": to_its_end(self.move),
            "wallet.wait": self.wait,
            "wallet.wait.stop": self.stop_waiting,
        }

    async def sent(self, params: dict[str, Any]) -> list[SentToken]:
        return [sent_token(token) for token in await self._wallet.sent.recent(params["limit"])]

    async def check_sent(self, params: dict[str, Any]) -> SentToken:
        return sent_token(await self._wallet.sent.check(params["op_id"]))

    async def take_back(self, params: dict[str, Any]) -> TakenBack:
        came = await self._wallet.sent.take_back(params["op_id"])
        self._changed()
        return TakenBack(amount_sat=came)

    async def pay_quote(self, params: dict[str, Any]) -> list[MeltQuote]:
        quotes = await self._wallet.pay_quote(params["invoice"], params["amount_sat"])
        return [melt_quote(quote) for quote in quotes]

    async def move_quote(self, params: dict[str, Any]) -> MoveQuote:
        return move_quote(
            await self._wallet.balancing.quote_move(
                params["source"], params["target"], params["amount_sat"]
            )
        )

    async def even_quote(self, params: dict[str, Any]) -> list[MoveQuote]:
        quotes = await self._wallet.balancing.quote_even(params["shares"])
        return [move_quote(quote) for quote in quotes]

    async def move(self, params: dict[str, Any]) -> list[MoveResult]:
        """What was quoted; a move that fails does not keep the others from being made."""
        quoted = [
            types.MoveQuote(
                move.source,
                move.target,
                move.amount_sat,
                move.fee_reserve_sat,
                move.fund_id,
                move.pay_id,
            )
            for move in params["moves"]
        ]
        moved = await self._wallet.balancing.run(quoted)
        self._changed()
        return [move_result(done) for done in moved]

    async def swap(self, params: dict[str, Any]) -> Swapped:
        swapped = await self._wallet.freshen(params["mint"])
        self._changed()
        return Swapped(amount_sat=swapped, unit=unit_of(params["mint"]))

    async def wait(self, params: dict[str, Any]) -> Waited:
        """Ends with its client, too: nobody is left on the line to a mint."""
        with trio.CancelScope() as scope:
            if params["handle"]:
                self._waits[params["handle"]] = scope
            try:
                waited = await self._wait(**params)
            finally:
                if self._waits.get(params["handle"]) is scope:
                    del self._waits[params["handle"]]
            if params["kind"] == "fund" and waited.state:
                return structs.replace(waited, minted_sat=await self._complete(params))
            if waited.state:
                self._changed()
            return waited
        return Waited()

    async def _wait(self, kind: str, id: str, mint: str, timeout_s: float, handle: str) -> Waited:
        del handle
        waiting = self._wallet.waiting
        if kind == "sent":
            found = await waiting.sent(id, timeout_s)
        else:
            found = await (waiting.fund if kind == "fund" else waiting.melt)(id, mint, timeout_s)
        return Waited(state=found.state, live=found.live)

    async def _take_paid(self, params: dict[str, Any]) -> int:
        came = await self._wallet.complete_mint(params["id"], params["mint"])
        self._changed()
        return came

    async def stop_waiting(self, params: dict[str, Any]) -> Empty:
        scope = self._waits.get(params["handle"])
        if scope is not None:
            scope.cancel()
        return Empty()
