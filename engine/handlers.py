"""The wallet's methods of the control protocol: parameters in, wallet calls, plain values out.

A thin border: no policy lives here. The server has checked the parameters' types already.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import trio
from msgspec import structs

from engine.control.protocol.wallet import (
    FundCheck,
    FundQuote,
    HistoryEntry,
    LockKey,
    Melt,
    MeltQuote,
    MintFacts,
    MoveResult,
    NutInfo,
    PaidRequest,
    PolicyChoice,
    PolicyInfo,
    ReceiveResult,
    RequestResult,
    Restore,
    SeedWords,
    SendResult,
    WalletBalance,
    WalletInfo,
    Woken,
)
from engine.control.server import Handler
from engine.errors import PaymentError
from engine.wallet_views import (
    fund_quote,
    history_entry,
    melt_quote,
    melt_result,
    mint_facts,
    mint_info,
    move_result,
    paid_request,
)
from wallet import handover
from wallet.accounts import SAT, unit_of
from wallet.ecash.conditions import Lock, lock_to_hash, lock_to_keys
from wallet.ecash.errors import EcashError
from wallet.errors import TokenInvalid
from wallet.nuts import NUTS
from wallet.paying import compact
from wallet.types import RestoreReport
from wallet.wallet import Wallet


class WalletHandlers:
    """Answers `wallet.*` from one wallet; `changed` is called after money has moved, `publish`
    tells all clients of progress."""

    def __init__(
        self,
        wallet: Wallet,
        *,
        via: str,
        changed: Callable[[], None],
        publish: Callable[[str, dict[str, object]], None],
    ) -> None:
        self._wallet = wallet
        self._publish = publish
        self._via = via
        self._changed = changed

    def table(self) -> Mapping[str, Handler]:
        """Method name to handler."""
        moves_money: dict[str, Handler] = {
            "wallet.fund.check": self.fund_check,
            "wallet.send": self.send,
            "wallet.receive": self.receive,
            "wallet.melt": self.melt,
            "wallet.parts.pay": self.pay_parts,
            "wallet.restore": self.restore,
            "wallet.request.pay": self.pay_request,
            "wallet.move": self.move,
        }
        return {
            "wallet.info": self.info,
            "wallet.balance": self.balance,
            "wallet.history": self.history,
            "wallet.mints.add": self.add_mint,
            "wallet.mints.forget": self.forget_mint,
            "wallet.mints.look": self.look_at_mint,
            "wallet.fund": self.fund,
            "wallet.fund.spread": self.fund_spread,
            "wallet.policy": self.policy,
            "wallet.policy.set": self.set_policy,
            "wallet.wake": self.wake,
            "wallet.melt.quote": self.melt_quote,
            "wallet.parts.quote": self.parts_quote,
            "wallet.seed": self.seed,
            "wallet.key": self.key,
            "wallet.cosign": self.cosign,
            "wallet.request": self.request,
            **{name: to_its_end(handler) for name, handler in moves_money.items()},
        }

    async def _mint_or_best(self, url: str | None) -> str:
        """The mint named, else the one with the largest balance among those that answer."""
        if url:
            return url.rstrip("/")
        balances = await self._wallet.balances()
        if not balances:
            raise PaymentError(
                "The wallet knows no mint.", hint="Add one: peer2prompt wallet add-mint URL"
            )
        return max(balances, key=lambda balance: (balance.healthy, balance.available_sat)).url

    async def info(self, _params: dict[str, Any]) -> WalletInfo:
        balances = await self._wallet.balances()
        return WalletInfo(
            total_sat=sum(b.available_sat for b in balances),
            reserved_sat=sum(b.reserved_sat for b in balances),
            held_sat=sum(b.held_sat for b in balances),
            resting_sat=sum(b.resting_sat for b in balances),
            mints=len(balances),
            payments_open=await self._wallet.open_operations(),
            via=self._via,
            nuts=[
                NutInfo(nut=nut.number, name=nut.name, support=nut.support, note=nut.note)
                for nut in NUTS
            ],
        )

    async def balance(self, _params: dict[str, Any]) -> WalletBalance:
        balances = await self._wallet.balances(every_unit=True)
        mints = [mint_info(balance) for balance in balances]
        return WalletBalance(
            total_sat=sum(m.available_sat for m in mints if m.unit == "sat"), mints=mints
        )

    async def history(self, params: dict[str, Any]) -> list[HistoryEntry]:
        entries = await self._wallet.history(
            params["limit"], params["text"], params["mint"], params["offset"]
        )
        return [history_entry(entry) for entry in entries]

    async def add_mint(self, params: dict[str, Any]) -> WalletBalance:
        await self._wallet.add_mint(params["url"].rstrip("/"))
        self._changed()
        return await self.balance({})

    async def forget_mint(self, params: dict[str, Any]) -> WalletBalance:
        await self._wallet.forget_mint(params["url"])
        self._changed()
        return await self.balance({})

    async def fund(self, params: dict[str, Any]) -> FundQuote:
        url = await self._mint_or_best(params["mint"])
        return fund_quote(await self._wallet.request_mint(url, params["amount_sat"]))

    async def fund_spread(self, params: dict[str, Any]) -> list[FundQuote]:
        quotes = await self._wallet.request_spread(params["amount_sat"])
        return [fund_quote(quote) for quote in quotes]

    async def policy(self, _params: dict[str, Any]) -> PolicyInfo:
        policy = self._wallet.policy
        return PolicyInfo(
            choices=[PolicyChoice(name=n, setting=s, drawback=c) for n, s, c in policy.lines()],
            **structs.asdict(policy),
        )

    async def set_policy(self, params: dict[str, Any]) -> PolicyInfo:
        chosen = {name: value for name, value in params.items() if value is not None}
        await self._wallet.set_policy(structs.replace(self._wallet.policy, **chosen))
        return await self.policy({})

    async def wake(self, _params: dict[str, Any]) -> Woken:
        woken = await self._wallet.wake()
        self._changed()
        return Woken(amount_sat=woken)

    async def fund_check(self, params: dict[str, Any]) -> FundCheck:
        quote = await self._wallet.check_mint(params["quote_id"], params["mint"])
        if quote.state != "PAID":
            return FundCheck(state=quote.state, unit=unit_of(quote.mint))
        minted = await self._wallet.complete_mint(params["quote_id"], params["mint"])
        self._changed()
        return FundCheck(state="ISSUED", minted_sat=minted, unit=unit_of(quote.mint))

    async def send(self, params: dict[str, Any]) -> SendResult:
        url = await self._mint_or_best(params["mint"])
        lock = _lock(params["lock"]) if params["lock"] else None
        token = await self._wallet.send(url, params["amount_sat"], lock=lock)
        self._changed()
        return SendResult(token=token)

    async def receive(self, params: dict[str, Any]) -> ReceiveResult:
        received = await self._wallet.receive(
            params["token"], allow=params["allow_new_mint"], preimage=params["preimage"]
        )
        self._changed()
        account = handover.account_of(handover.parse(params["token"]))
        return ReceiveResult(amount_sat=received, mint=account)

    async def key(self, _params: dict[str, Any]) -> LockKey:
        return LockKey(key=await self._wallet.lock_key())

    async def cosign(self, params: dict[str, Any]) -> SendResult:
        return SendResult(token=await self._wallet.cosign(params["token"]))

    async def request(self, params: dict[str, Any]) -> RequestResult:
        text = await self._wallet.request(
            params["amount_sat"], params["description"], locked=params["locked"]
        )
        return RequestResult(request=text, compact=compact(text))

    async def pay_request(self, params: dict[str, Any]) -> PaidRequest:
        paid = await self._wallet.pay_request(params["request"], params["amount_sat"])
        self._changed()
        return paid_request(paid)

    async def melt_quote(self, params: dict[str, Any]) -> MeltQuote:
        url = await self._mint_or_best(params["mint"])
        quote = await self._wallet.melt_quote(url, params["invoice"], params["amount_sat"])
        return melt_quote(quote, url)

    async def melt(self, params: dict[str, Any]) -> Melt:
        result = await self._wallet.melt(params["quote_id"], params["mint"])
        self._changed()
        return melt_result(result)

    async def parts_quote(self, params: dict[str, Any]) -> list[MeltQuote]:
        quotes = await self._wallet.parts_quote(params["invoice"], params["parts"])
        return [melt_quote(quote) for quote in quotes]

    async def pay_parts(self, params: dict[str, Any]) -> list[Melt]:
        mints = params["mints"] or [""] * len(params["quote_ids"])
        if len(mints) != len(params["quote_ids"]):
            raise PaymentError("Each part needs its mint.", kept="Nothing was paid.")
        results = await self._wallet.pay_parts(list(zip(mints, params["quote_ids"], strict=True)))
        self._changed()
        return [melt_result(result) for result in results]

    async def restore(self, params: dict[str, Any]) -> Restore:
        if params["mint"] is None:
            return await self._restore_all()
        url = params["mint"].rstrip("/")
        report = await self._wallet.restore(url)
        self._changed()
        return Restore(recovered_sat=report.recovered_sat, mint=url)

    async def _restore_all(self) -> Restore:
        def tell(report: RestoreReport) -> None:
            self._publish(
                "wallet.restoring",
                {
                    "recovered_sat": report.recovered_sat,
                    "mint": report.mint,
                    "trouble": report.trouble,
                },
            )

        reports = await self._wallet.restore_all(tell)
        self._changed()
        in_sat = [report for report in reports if unit_of(report.mint) == SAT]
        return Restore(recovered_sat=sum(report.recovered_sat for report in in_sat), mint="")

    async def look_at_mint(self, params: dict[str, Any]) -> MintFacts:
        return mint_facts(await self._wallet.look_at_mint(params["url"]))

    async def move(self, params: dict[str, Any]) -> MoveResult:
        moved = await self._wallet.move(params["source"], params["target"], params["amount_sat"])
        self._changed()
        return move_result(moved)

    async def seed(self, _params: dict[str, Any]) -> SeedWords:
        return SeedWords(words=await self._wallet.seed_words())


def _lock(params: dict[str, Any]) -> Lock:
    """The lock that a caller describes. Raises TokenInvalid for one nobody could open."""
    keys = params["keys"]
    chosen: dict[str, Any] = {
        "n_sigs": params["needs"],
        "locktime": params["until"],
        "refund": params["refund_keys"],
        "sig_all": params["whole"],
    }
    try:
        if params["hash"]:
            return lock_to_hash(params["hash"], keys, **chosen)
        return lock_to_keys(keys, **chosen)
    except EcashError as error:
        message = f"A token cannot be locked so: {error}."
        raise TokenInvalid(message, kept="Nothing was sent.") from error


def to_its_end(handler: Handler) -> Handler:
    """The handler, not cancelled when its client leaves: the wallet's requests have timeouts."""

    async def shielded(params: dict[str, Any]) -> object:
        done: list[object] = []
        with trio.CancelScope(shield=True):
            done.append(await handler(params))
        return done[0]

    return shielded
