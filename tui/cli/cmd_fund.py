"""`peer2prompt wallet fund | check | pay`: Lightning in and out."""

from __future__ import annotations

import argparse
import sys
import time

from engine.control.client import ControlClient
from engine.control.protocol.tokens import Waited
from engine.control.protocol.wallet import FundCheck, FundQuote, Melt, MeltQuote
from tui.cli import style
from tui.cli.call import call_as, print_json, with_node
from tui.cli.failures import FUNDS, CliError, usage
from tui.cli.prompts import confirmed, text_or_stdin
from tui.cli.qr import print_qr

_WAIT_S = 3600.0
_DONE = ("paid", "issued", "minted", "complete", "done")


def fund(args: argparse.Namespace) -> int:
    """Print an invoice, as text and as a picture; wait for its payment when asked to."""
    if args.spread:
        return _fund_spread(args)
    quote = call_as(args, FundQuote, "wallet.fund", amount_sat=args.amount, mint=args.mint)
    if not args.json:
        _show_invoice(quote, wait=args.wait)
    state = _wait(args, quote) if args.wait else None
    if args.json:
        # One JSON object: the quote, and how it ended when it was waited for.
        ended = {} if state is None else {"state": state.state, "minted_sat": state.minted_sat}
        print_json({**{name: getattr(quote, name) for name in quote.__struct_fields__}, **ended})
    elif state is not None:
        _say_paid(quote, state)
    return 0


def _fund_spread(args: argparse.Namespace) -> int:
    """One invoice after the other; all are waited for when asked to."""
    quotes = call_as(args, list[FundQuote], "wallet.fund.spread", amount_sat=args.amount)
    if args.json:
        print_json(quotes)
        return 0
    for quote in quotes:
        print(f"{style.clean(quote.mint)}:")
        _show_invoice(quote, wait=args.wait)
    for quote in quotes if args.wait else ():
        state = _wait(args, quote)
        _say_paid(quote, state)
    return 0


def _say_paid(quote: FundQuote, state: FundCheck) -> None:
    amount = style.money(state.minted_sat or quote.amount_sat, style.unit(quote.mint))
    print(f"Paid: {amount} are in the wallet.")


def check(args: argparse.Namespace) -> int:
    """See whether an invoice was paid, and collect."""
    state = call_as(args, FundCheck, "wallet.fund.check", quote_id=args.quote, mint=args.mint)
    if args.json:
        print_json(state)
    elif state.minted_sat:
        print(f"Paid: {style.money(state.minted_sat, state.unit)} came into the wallet.")
    elif state.state.lower() in _DONE:
        print("The invoice was paid and its ecash is in the wallet already.")
    else:
        print(f"The invoice is {style.clean(state.state).lower()}.")
    return 0


def pay(args: argparse.Namespace) -> int:
    """Pay an invoice or a Lightning address: show what it costs, ask, pay."""
    invoice = text_or_stdin(args.invoice, "invoice")
    if args.part:
        return _pay_parts(args, invoice)
    if not args.mint:
        quotes = call_as(
            args,
            list[MeltQuote],
            "wallet.pay.quote",
            invoice=invoice,
            amount_sat=args.amount,
        )
        if len(quotes) > 1:
            return _pay_quoted(args, quotes)
        (quote,) = quotes
    else:
        quote = call_as(
            args,
            MeltQuote,
            "wallet.melt.quote",
            invoice=invoice,
            mint=args.mint,
            amount_sat=args.amount,
        )
    unit = style.unit(quote.mint)
    amount, fees = style.money(quote.amount_sat, unit), style.amount(quote.fee_reserve_sat, unit)
    if not confirmed(args, f"Pay {amount}, and up to {fees} in fees?"):
        print("Nothing was paid.")
        return 0
    result = call_as(args, Melt, "wallet.melt", quote_id=quote.quote_id, mint=quote.mint)
    if args.json:
        print_json(result)
    elif result.paid:
        change = f", {style.money(result.change_sat, unit)} came back" if result.change_sat else ""
        print(f"Paid {amount} with {style.money(result.fee_sat, unit)} in fees{change}.")
    if result.paid:
        return 0
    if args.json:
        return FUNDS
    raise CliError(
        f"The mint has not paid the invoice; its state is {style.one_line(result.state)}.",
        code="melt_unpaid",
        exit_code=FUNDS,
        kept="The ecash for it is kept in the wallet's journal until the mint has decided.",
        hint="See `peer2prompt wallet history` later; the wallet settles it by itself.",
    )


def _pay_parts(args: argparse.Namespace, invoice: str) -> int:
    """One invoice from several mints, after asking."""
    parts: dict[str, int] = {}
    for part in args.part:
        amount, at, url = part.partition("@")
        if not at or not amount.isascii() or not amount.isdigit() or url in parts:
            raise usage("A part is written SAT@URL, one for each mint.")
        parts[url] = int(amount)
    quotes = call_as(args, list[MeltQuote], "wallet.parts.quote", invoice=invoice, parts=parts)
    return _pay_quoted(args, quotes)


def _pay_quoted(args: argparse.Namespace, quotes: list[MeltQuote]) -> int:
    """The parts as they were quoted, after asking."""
    amount_sat = sum(quote.amount_sat for quote in quotes)
    fees = sum(quote.fee_reserve_sat for quote in quotes)
    if not confirmed(args, f"Pay {amount_sat} sat in parts, and up to {fees} in fees?"):
        print("Nothing was paid.")
        return 0
    ids = [quote.quote_id for quote in quotes]
    mints = [quote.mint for quote in quotes]
    results = call_as(args, list[Melt], "wallet.parts.pay", quote_ids=ids, mints=mints)
    if args.json:
        print_json(results)
    else:
        pairs = zip(quotes, results, strict=True)
        rows = [(quote.mint, quote.amount_sat, result.state) for quote, result in pairs]
        style.table(("mint", "sat", "state"), rows, empty="")
    return 0 if all(result.paid for result in results) else FUNDS


def _wait(args: argparse.Namespace, quote: FundQuote) -> FundCheck:
    """Until the invoice is paid or has expired; the node waits for its mint."""

    async def work(client: ControlClient) -> FundCheck:
        left_s = quote.expiry - time.time() if quote.expiry else _WAIT_S
        waited = await client.call_as(
            Waited,
            "wallet.wait",
            kind="fund",
            id=quote.quote_id,
            mint=quote.mint,
            timeout_s=min(_WAIT_S, max(1.0, left_s)),
        )
        if not waited.state:
            raise CliError(
                "The invoice was not paid in time.",
                code="expired",
                exit_code=FUNDS,
                kept="Nothing was spent.",
                hint="Get a new one with `peer2prompt wallet fund`.",
            )
        return FundCheck(state=waited.state, minted_sat=waited.minted_sat)

    return with_node(args, work)


def _show_invoice(quote: FundQuote, *, wait: bool) -> None:
    amount = style.money(quote.amount_sat, style.unit(quote.mint))
    print(f"Pay this invoice to put {amount} into the wallet:\n")
    print_qr(quote.invoice)
    print(style.clean(quote.invoice))
    if quote.expiry:
        print(f"\nIt expires at {style.moment(quote.expiry)}.")
    if wait:
        print("Waiting for the payment; Ctrl+C stops waiting, not the invoice.", file=sys.stderr)
    else:
        print(f"Then collect with: peer2prompt wallet check {style.clean(quote.quote_id)}")
    sys.stdout.flush()
