"""The table of methods of the control protocol: what each takes and what it answers."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from engine.control.protocol.asking import AskCancelParams, AskParams, AskStarted
from engine.control.protocol.circuits import Circuit, CircuitEvent, Traffic
from engine.control.protocol.earnings import Earnings
from engine.control.protocol.frames import Empty, NoParams
from engine.control.protocol.network import AdvertResult, Invite, Joined, JoinParams, Network
from engine.control.protocol.node import (
    Backup,
    BackupParams,
    Hello,
    HelloParams,
    PassphraseParams,
    Status,
    StopParams,
    Wiped,
)
from engine.control.protocol.sessions import (
    Message,
    Model,
    Session,
    SessionCreateParams,
    SessionMessagesParams,
    SessionParams,
    SessionRenameParams,
    Shape,
)
from engine.control.protocol.tokens import SentParams, SentToken, SentTokenParams, TakenBack
from engine.control.protocol.wallet import (
    FundCheck,
    FundParams,
    FundQuote,
    HistoryEntry,
    HistoryParams,
    LockKey,
    Melt,
    MeltQuote,
    MeltQuoteParams,
    MintFacts,
    MintUrlParams,
    MoveParams,
    MoveResult,
    PaidRequest,
    PartsParams,
    PartsQuoteParams,
    PayRequestParams,
    PolicyInfo,
    PolicyParams,
    QuoteParams,
    ReceiveParams,
    ReceiveResult,
    RequestParams,
    RequestResult,
    Restore,
    RestoreParams,
    SeedWords,
    SendParams,
    SendResult,
    SpreadParams,
    TokenParams,
    WalletBalance,
    WalletInfo,
    Woken,
)


class Method(msgspec.Struct, frozen=True):
    """The shape of one method: what it takes and what it answers."""

    params: type[msgspec.Struct]
    result: Any


METHODS: Final[dict[str, Method]] = {
    "hello": Method(HelloParams, Hello),
    "status": Method(NoParams, Status),
    "stop": Method(StopParams, Empty),
    "store.passphrase": Method(PassphraseParams, Empty),
    "store.backup": Method(BackupParams, Backup),
    "wipe": Method(NoParams, Wiped),
    "models": Method(NoParams, list[Model]),
    "shapes": Method(NoParams, list[Shape]),
    "sessions.list": Method(NoParams, list[Session]),
    "sessions.create": Method(SessionCreateParams, Session),
    "sessions.messages": Method(SessionMessagesParams, list[Message]),
    "sessions.rename": Method(SessionRenameParams, Empty),
    "sessions.delete": Method(SessionParams, Empty),
    "ask": Method(AskParams, AskStarted),
    "ask.cancel": Method(AskCancelParams, Empty),
    "circuits": Method(NoParams, list[Circuit]),
    "circuit.notes": Method(NoParams, list[CircuitEvent]),
    "traffic": Method(NoParams, Traffic),
    "circuit.rotate": Method(NoParams, Empty),
    "network": Method(NoParams, Network),
    "advert": Method(NoParams, AdvertResult),
    "directory.reload": Method(NoParams, Empty),
    "network.invite": Method(NoParams, Invite),
    "network.join": Method(JoinParams, Joined),
    "wallet.info": Method(NoParams, WalletInfo),
    "wallet.balance": Method(NoParams, WalletBalance),
    "wallet.history": Method(HistoryParams, list[HistoryEntry]),
    "wallet.mints.add": Method(MintUrlParams, Empty),
    "wallet.mints.look": Method(MintUrlParams, MintFacts),
    "wallet.move": Method(MoveParams, MoveResult),
    "wallet.fund": Method(FundParams, FundQuote),
    "wallet.fund.check": Method(QuoteParams, FundCheck),
    "wallet.send": Method(SendParams, SendResult),
    "wallet.receive": Method(ReceiveParams, ReceiveResult),
    "wallet.fund.spread": Method(SpreadParams, list[FundQuote]),
    "wallet.policy": Method(NoParams, PolicyInfo),
    "wallet.policy.set": Method(PolicyParams, PolicyInfo),
    "wallet.wake": Method(NoParams, Woken),
    "wallet.key": Method(NoParams, LockKey),
    "wallet.cosign": Method(TokenParams, SendResult),
    "wallet.request": Method(RequestParams, RequestResult),
    "wallet.request.pay": Method(PayRequestParams, PaidRequest),
    "wallet.melt.quote": Method(MeltQuoteParams, MeltQuote),
    "wallet.melt": Method(QuoteParams, Melt),
    "wallet.parts.quote": Method(PartsQuoteParams, list[MeltQuote]),
    "wallet.parts.pay": Method(PartsParams, list[Melt]),
    "wallet.restore": Method(RestoreParams, Restore),
    "wallet.sent": Method(SentParams, list[SentToken]),
    "wallet.sent.check": Method(SentTokenParams, SentToken),
    "wallet.sent.back": Method(SentTokenParams, TakenBack),
    "wallet.seed": Method(NoParams, SeedWords),
    "earnings": Method(NoParams, Earnings),
}
"""Every method of protocol version 1."""
