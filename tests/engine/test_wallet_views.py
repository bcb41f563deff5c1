"""The wallet's values on the control socket: nothing is lost or mixed up on the way out."""

from __future__ import annotations

from engine import wallet_views as views
from wallet.store.ledger import HistoryEntry
from wallet.types import (
    MeltQuote,
    MeltResult,
    MintBalance,
    MintFacts,
    MintQuote,
    Moved,
    MoveQuote,
    PaidRequest,
    SentToken,
)

MINT = "https://m.example"
USD = f"{MINT}#usd"


def test_what_lies_at_a_mint() -> None:
    balance = MintBalance(
        url=USD,
        name="Mint",
        available_sat=1,
        reserved_sat=2,
        held_sat=3,
        healthy=False,
        latency_ms=4.5,
        last_error="gone",
        resting_sat=6,
        unit="usd",
        failures_percent=7,
        clock_off_s=8.0,
        warnings=("a", "b"),
    )
    shown = views.mint_info(balance)
    for name in shown.__struct_fields__:
        meant = getattr(balance, name)
        assert getattr(shown, name) == (list(meant) if name == "warnings" else meant), name


def test_what_a_mint_says_of_itself() -> None:
    facts = MintFacts(MINT, "Mint", "words", "v1", "news", 100, (4, 5), ("sat", "usd"))
    shown = views.mint_facts(facts)
    assert (shown.url, shown.name, shown.description) == (MINT, "Mint", "words")
    assert (shown.version, shown.motd, shown.input_fee_ppk) == ("v1", "news", 100)
    assert (shown.nuts, shown.units) == ([4, 5], ["sat", "usd"])


def test_amounts_carry_the_unit_of_their_account() -> None:
    moved = views.history_entry(HistoryEntry(1.0, "send", USD, -5, "words", None))
    assert (moved.ts, moved.kind, moved.mint, moved.amount_sat) == (1.0, "send", USD, -5)
    assert (moved.detail, moved.unit) == ("words", "usd")
    quote = views.move_quote(MoveQuote(USD, f"{MINT}/2#usd", 9, 2, "f", "p"))
    assert (quote.source, quote.target, quote.unit) == (USD, f"{MINT}/2#usd", "usd")
    assert (quote.amount_sat, quote.fee_reserve_sat) == (9, 2)
    assert (quote.fund_id, quote.pay_id) == ("f", "p")


def test_prices_and_outcomes_of_payments() -> None:
    invoice = MintQuote("q", MINT, 21, "lnbc1", 99, "UNPAID")
    shown = views.fund_quote(invoice)
    assert (shown.quote_id, shown.invoice, shown.amount_sat) == ("q", "lnbc1", 21)
    assert (shown.expiry, shown.mint) == (99, MINT)
    price = MeltQuote("q", MINT, 21, 2, "UNPAID")
    assert views.melt_quote(price).mint == MINT
    assert views.melt_quote(price, "other").mint == "other"
    done = views.melt_result(MeltResult(True, 2, 1, "PAID"))
    assert (done.paid, done.fee_sat, done.change_sat, done.state) == (True, 2, 1, "PAID")
    paid = views.paid_request(PaidRequest(MINT, 21, False, "cashuB"))
    assert (paid.amount_sat, paid.mint, paid.delivered, paid.token) == (21, MINT, False, "cashuB")


def test_a_move_that_was_not_made_says_why() -> None:
    shown = views.move_result(Moved(9, 2, False, "The mint refused."))
    assert (shown.amount_sat, shown.cost_sat, shown.arrived) == (9, 2, False)
    assert shown.trouble == "The mint refused."


def test_the_text_of_a_token_is_told_only_while_nobody_took_it() -> None:
    told = {}
    for state in ("waiting", "taken", "returned"):
        token = SentToken("id", USD, 21, "cashuB", 5.0, state, 7)
        shown = views.sent_token(token)
        assert (shown.op_id, shown.mint, shown.amount_sat) == ("id", USD, 21)
        assert (shown.unit, shown.ts, shown.left_sat) == ("usd", 5.0, 7)
        told[shown.state] = shown.token
    assert told == {"waiting": "cashuB", "taken": "", "returned": ""}
