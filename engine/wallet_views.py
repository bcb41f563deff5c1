"""The wallet's values as the control protocol says them: one function for each. Pure.

Amounts are in sat, or in the unit of their account; times are unix seconds.
"""

from __future__ import annotations

from engine.control.protocol.moves import MoveQuote
from engine.control.protocol.tokens import SentToken
from engine.control.protocol.wallet import (
    FundQuote,
    HistoryEntry,
    Melt,
    MeltQuote,
    MintFacts,
    MintInfo,
    MoveResult,
    PaidRequest,
)
from wallet import types
from wallet.accounts import unit_of
from wallet.store import ledger


def mint_info(balance: types.MintBalance) -> MintInfo:
    """What lies at a mint, and how it fares."""
    return MintInfo(
        url=balance.url,
        name=balance.name,
        unit=balance.unit,
        available_sat=balance.available_sat,
        reserved_sat=balance.reserved_sat,
        held_sat=balance.held_sat,
        resting_sat=balance.resting_sat,
        failures_percent=balance.failures_percent,
        warnings=list(balance.warnings),
        healthy=balance.healthy,
        latency_ms=balance.latency_ms,
        last_error=balance.last_error,
        clock_off_s=balance.clock_off_s,
    )


def mint_facts(facts: types.MintFacts) -> MintFacts:
    """What a mint says of itself."""
    return MintFacts(
        url=facts.url,
        name=facts.name,
        description=facts.description,
        version=facts.version,
        motd=facts.motd,
        input_fee_ppk=facts.input_fee_ppk,
        nuts=list(facts.nuts),
        units=list(facts.units),
    )


def history_entry(entry: ledger.HistoryEntry) -> HistoryEntry:
    """One move of money that is over."""
    return HistoryEntry(
        ts=entry.ts,
        kind=entry.kind,
        mint=entry.mint,
        amount_sat=entry.amount_sat,
        detail=entry.detail,
        unit=unit_of(entry.mint),
    )


def fund_quote(quote: types.MintQuote) -> FundQuote:
    """An invoice that funds the wallet."""
    return FundQuote(
        quote_id=quote.quote_id,
        invoice=quote.invoice,
        amount_sat=quote.amount_sat,
        expiry=quote.expiry,
        mint=quote.mint,
    )


def melt_quote(quote: types.MeltQuote, mint: str = "") -> MeltQuote:
    """A payment's price; `mint` where the wallet was asked under another name."""
    return MeltQuote(
        quote_id=quote.quote_id,
        amount_sat=quote.amount_sat,
        fee_reserve_sat=quote.fee_reserve_sat,
        mint=mint or quote.mint,
    )


def melt_result(result: types.MeltResult) -> Melt:
    """What became of a payment."""
    return Melt(
        paid=result.paid,
        fee_sat=result.fee_sat,
        change_sat=result.change_sat,
        state=result.state,
    )


def paid_request(paid: types.PaidRequest) -> PaidRequest:
    """A payment request that was paid; its token where it is to be handed over by hand."""
    return PaidRequest(
        amount_sat=paid.amount_sat,
        mint=paid.mint,
        delivered=paid.delivered,
        token=paid.token,
    )


def move_result(moved: types.Moved) -> MoveResult:
    """A move between mints that was made, or what kept it from being made."""
    return MoveResult(
        amount_sat=moved.amount_sat,
        cost_sat=moved.cost_sat,
        arrived=moved.arrived,
        trouble=moved.trouble,
    )


def move_quote(quote: types.MoveQuote) -> MoveQuote:
    """What a move between mints costs."""
    return MoveQuote(
        source=quote.source,
        target=quote.target,
        amount_sat=quote.amount_sat,
        fee_reserve_sat=quote.fee_reserve_sat,
        fund_id=quote.fund_id,
        pay_id=quote.pay_id,
        unit=unit_of(quote.source),
    )


def sent_token(token: types.SentToken) -> SentToken:
    """A token that was handed out; its text only while nobody took it."""
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
