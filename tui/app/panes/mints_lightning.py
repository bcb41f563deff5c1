"""Deeds of the mints pane that go over Lightning: fund, pay, move, even out. Fees come first."""

from __future__ import annotations

from tui.app.jsonish import Json, line, maybe_real, records, whole
from tui.app.panes.deeds import Deeds, amount_label
from tui.app.text import money, plural

WAIT_FOR_PAYMENT_S = 600.0


class LightningDeeds(Deeds):
    async def do_fund(self) -> None:
        from tui.app.screens.form import Field, amount, ask_form, read_amount

        mint = await self.which_mint("Fund the wallet")
        if mint is None:
            return
        intro = "The mint makes a Lightning invoice. When it is paid, the ecash is yours."
        fields = [Field("amount", amount_label(mint.unit), "1000", check=amount)]
        answer = await ask_form(self.peer, "Fund the wallet", intro, fields, "Make the invoice")
        if answer is None:
            return
        quote = await self.controller.wallet_call(
            "wallet.fund", mint=mint.url, amount_sat=read_amount(answer["amount"])
        )
        await self._show_invoice(quote, mint.url, mint.unit)

    async def _show_invoice(self, quote: Json, mint: str, unit: str) -> None:
        from tui.app.screens.money import InvoiceScreen

        await self.peer.push_screen_wait(
            InvoiceScreen(
                self.peer,
                line(quote, "quote_id"),
                mint,
                str(quote.get("invoice", "")),
                whole(quote, "amount_sat"),
                unit,
                maybe_real(quote, "expiry"),
            )
        )

    async def do_fund_spread(self) -> None:
        """As the privacy policy says: usual amounts, several mints."""
        intro = (
            "Rounded up to an amount that many people use, and divided over as many mints as the "
            f"privacy policy says ({self.key_of('policy')} shows it). One invoice after the other."
        )
        amount_sat = await self.how_much("Fund privately", intro, "sat", "Make the invoices")
        if amount_sat is None:
            return
        quotes = await self.controller.wallet_list("wallet.fund.spread", amount_sat=amount_sat)
        for quote in quotes:
            await self._show_invoice(quote, line(quote, "mint"), "sat")

    async def do_pay(self) -> None:
        from tui.app.screens.form import Field, ask_form, confirm

        fields = [
            Field("invoice", "Lightning invoice or address", placeholder="lnbc… or name@host")
        ]
        intro = "The wallet chooses the mint that has enough, or several that pay parts."
        answer = await ask_form(self.peer, "Pay an invoice", intro, fields, "Ask for the fee")
        if answer is None:
            return
        asked: dict[str, object] = {"invoice": answer["invoice"]}
        if "@" in answer["invoice"]:
            amount_sat = await self.how_much(answer["invoice"], "", "sat", "Ask for the fee")
            if amount_sat is None:
                return
            asked["amount_sat"] = amount_sat
        quotes = await self.controller.wallet_list("wallet.pay.quote", **asked)
        total = sum(whole(quote, "amount_sat") for quote in quotes)
        fees = sum(whole(quote, "fee_reserve_sat") for quote in quotes)
        detail = f"At most {money(fees)} of fees come on top; what is not used comes back.\n\n"
        detail += "\n".join(self._part(quote) for quote in quotes)
        if await confirm(self.peer, f"Pay {money(total)}?", detail, "Pay"):
            await self._pay(quotes, total)

    def _part(self, quote: Json) -> str:
        amount, fee = whole(quote, "amount_sat"), whole(quote, "fee_reserve_sat")
        return f"{money(amount)} (fees up to {fee:,}) from {self._title(line(quote, 'mint'))}"

    def _title(self, url: str) -> str:
        return self.model.wallet.title(url)

    async def _pay(self, quotes: list[Json], total: int) -> None:
        ids = [line(quote, "quote_id") for quote in quotes]
        mints = [line(quote, "mint") for quote in quotes]
        if len(quotes) == 1:
            results = [
                await self.controller.wallet_call("wallet.melt", quote_id=ids[0], mint=mints[0])
            ]
        else:
            answer = await self.controller.wallet_raw(
                "wallet.parts.pay", quote_ids=ids, mints=mints
            )
            results = records(answer)
        if all(result.get("paid") is True for result in results):
            fee = sum(whole(result, "fee_sat") for result in results)
            self.peer.say(f"Paid {money(total)}; the fee was {money(fee)}.")
            return
        self.peer.say(
            "Not paid yet. The ecash stays reserved until the mint says how it ended; the wallet "
            "keeps asking.",
            "warning",
        )
        for name, mint, result in zip(ids, mints, results, strict=True):
            if line(result, "state") == "PENDING":
                ended = await self.controller.wait_for("melt", name, mint, WAIT_FOR_PAYMENT_S)
                if line(ended, "state"):
                    self.peer.say(f"The payment through {self._title(mint)} is made.")

    async def do_move(self) -> None:
        from tui.app.screens.form import confirm

        if len(self.model.wallet.mints) < 2:
            words = f"Moving needs two mints; {self.key_of('add_mint')} adds one."
            self.peer.say(words, "warning")
            return
        source = await self.which_mint("Move from")
        target = source and await self.which_mint("Move to", without=source.url)
        if not source or not target:
            return
        intro = "One mint pays an invoice of the other. Both take their fees; they are shown first."
        amount_sat = await self.how_much("Move ecash", intro, source.unit, "Ask for the fee")
        if amount_sat is None:
            return
        quote = await self.controller.wallet_call(
            "wallet.move.quote", source=source.url, target=target.url, amount_sat=amount_sat
        )
        detail = self._move_words(quote)
        if await confirm(self.peer, f"Move {money(amount_sat, source.unit)}?", detail, "Move"):
            await self._move([quote])

    async def do_rebalance(self) -> None:
        from tui.app.screens.form import confirm

        moves = await self.controller.wallet_list("wallet.even.quote")
        if not moves:
            self.peer.say("The mints hold about the same: nothing is worth a move.")
            return
        detail = "So that no mint holds much more than the others:\n\n"
        detail += "\n".join(self._move_words(move) for move in moves)
        question = f"Make {plural(len(moves), 'move')} to even out?"
        if await confirm(self.peer, question, detail, "Move"):
            await self._move(moves)

    def _move_words(self, move: Json) -> str:
        unit = line(move, "unit", "sat")
        return (
            f"{money(whole(move, 'amount_sat'), unit)} from {self._title(line(move, 'source'))} to "
            f"{self._title(line(move, 'target'))}; up to "
            f"{money(whole(move, 'fee_reserve_sat'), unit)} in fees"
        )

    async def _move(self, moves: list[Json]) -> None:
        results = records(await self.controller.wallet_raw("wallet.moves", moves=moves))
        for move, result in zip(moves, results, strict=False):
            unit = line(move, "unit", "sat")
            amount = money(whole(result, "amount_sat"), unit)
            if trouble := line(result, "trouble"):
                self.peer.say(f"Not moved: {trouble}", "error")
            elif result.get("arrived") is True:
                self.peer.say(f"Moved {amount}; it cost {money(whole(result, 'cost_sat'), unit)}.")
            else:
                self.peer.say(
                    "The payment is under way; the wallet finishes it and collects what arrives.",
                    "warning",
                )
