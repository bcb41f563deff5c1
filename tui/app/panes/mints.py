"""The mints pane: what is held where, how each mint is doing, and what moved."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import DataTable, Static

from tui.app.jsonish import line, maybe_real, whole
from tui.app.model import HistoryLine, MintLine
from tui.app.panes.base import Pane, style_sheet
from tui.app.text import ellipsis, sat, took

if TYPE_CHECKING:
    from tui.app.app import PeerApp


class MintsPane(Pane):
    group = "mints"
    DEFAULT_CSS = style_sheet("tables", "mints")

    def __init__(self, app: PeerApp) -> None:
        super().__init__(app)
        self._seen: object = None

    def compose(self) -> ComposeResult:
        yield Static(id="wallet-total")
        mints: DataTable[Content | str] = DataTable(id="mints", cursor_type="row")
        yield mints
        yield Static(id="mint-note")
        history: DataTable[Content | str] = DataTable(id="history", cursor_type="row")
        yield history

    def on_mount(self) -> None:
        self.total = self.query_one("#wallet-total", Static)
        self.mints = self.query_one("#mints", DataTable)
        self.history = self.query_one("#history", DataTable)
        self.note = self.query_one("#mint-note", Static)
        self.history.border_title = "What moved"

    def focus_first(self) -> None:
        self.mints.focus()

    def paint(self) -> None:
        wallet = self.model.wallet
        fresh = (wallet.revision, self.size.width, self.peer.link.troubles.get("wallet.balance"))
        if fresh == self._seen or not self.size.width:
            return
        self._seen = fresh
        self._paint_total()
        self._paint_mints(wallet.mints)
        self._paint_history(wallet.history)
        self._paint_note()

    def _paint_total(self) -> None:
        wallet = self.model.wallet
        if not wallet.known:
            self.total.update(Content.styled("Reading the wallet …", "$muted"))
            return
        reserved = sum(m.reserved_sat for m in wallet.mints)
        held = sum(m.held_sat for m in wallet.mints)
        parts: list[str | tuple[str, str]] = [
            (f"{wallet.total_sat:,}", "bold $primary"),
            " sat ready",
        ]
        if reserved:
            parts.append((f"   {reserved:,} reserved for payments", "$muted"))
        if resting := sum(m.resting_sat for m in wallet.mints):
            parts.append((f"   {resting:,} resting before first use", "$muted"))
        if held:
            parts.append((f"   {held:,} held by a mint", "$warning"))
        self.total.update(Content.assemble(*parts))

    def _paint_mints(self, mints: list[MintLine]) -> None:
        name_width = max(18, min(48, self.size.width - 60))
        row = self.mints.cursor_row
        self.mints.clear(columns=True)
        for label, width in (
            ("mint", name_width),
            ("ready".rjust(11), 11),
            ("reserved".rjust(9), 9),
            ("resting".rjust(8), 8),
            ("health", 9),
            ("answers".rjust(8), 8),
        ):
            self.mints.add_column(label, width=width)
        for mint in mints:
            name = mint.name or mint.url.partition("://")[2]
            self.mints.add_row(
                ellipsis(name, name_width),
                f"{mint.available_sat:,}".rjust(11),
                f"{mint.reserved_sat:,}".rjust(9),
                f"{mint.resting_sat + mint.held_sat:,}".rjust(8),
                _health(mint),
                (took(mint.latency_ms) if mint.latency_ms is not None else "–").rjust(8),
                key=mint.url,
            )
        if mints:
            self.mints.move_cursor(row=min(row, len(mints) - 1), animate=False)

    def _paint_history(self, history: list[HistoryLine]) -> None:
        row = self.history.cursor_row
        rest = max(20, self.size.width - 38)
        widths = (12, 13, rest * 3 // 5, rest - rest * 3 // 5)
        labels = ("when", "amount".rjust(13), "what", "mint")
        self.history.clear(columns=True)
        for label, width in zip(labels, widths, strict=True):
            self.history.add_column(label, width=width)
        names = {mint.url: mint.name or mint.url for mint in self.model.wallet.mints}
        for item in history:
            tone = "$success" if item.amount_sat > 0 else "$foreground"
            self.history.add_row(
                time.strftime("%d %b %H:%M", time.localtime(item.ts)),
                Content.styled(f"{item.amount_sat:+,} sat".rjust(13), tone),
                ellipsis(item.detail or item.kind, widths[2]),
                ellipsis(names.get(item.mint, item.mint), widths[3]),
            )
        if history:
            self.history.move_cursor(row=min(row, len(history) - 1), animate=False)

    def _paint_note(self) -> None:
        trouble = self.peer.link.troubles.get("wallet.balance")
        mint = self._chosen()
        if trouble is not None:
            text = Content.styled(f"{trouble.message} {trouble.hint}", "$warning")
        elif not self.model.wallet.known:
            text = Content("")
        elif not self.model.wallet.mints:
            text = Content.assemble(
                "There is no mint yet. A mint issues the ecash you pay with; you trust it with the "
                "amount you hold there. ",
                ("a", "bold $primary"),
                " adds one.",
            )
        elif self.model.wallet.total_sat == 0:
            text = Content.assemble(
                "The wallet is empty, so no ghost can be paid. ",
                ("f", "bold $primary"),
                " funds it over Lightning, ",
                ("r", "bold $primary"),
                " takes a token.",
            )
        elif mint is not None and mint.last_error:
            text = Content.styled(f"{mint.name or mint.url}: {mint.last_error}", "$warning")
        else:
            text = Content.styled(mint.url if mint is not None else "", "$muted")
        self.note.update(text)

    def _chosen(self) -> MintLine | None:
        row = self.mints.cursor_row
        mints = self.model.wallet.mints
        return mints[row] if 0 <= row < len(mints) else None

    # -- deeds -------------------------------------------------------------------------------

    async def do_fund(self) -> None:
        from tui.app.screens.form import Field, amount, ask_form, read_amount
        from tui.app.screens.money import InvoiceScreen
        from tui.app.screens.pick import pick_mint

        mint = await pick_mint(self.peer, "Fund the wallet")
        if mint is None:
            return
        intro = "The mint makes a Lightning invoice. When it is paid, the ecash is yours."
        fields = [Field("amount", "Amount in sat", "1000", check=amount)]
        answer = await ask_form(self.peer, "Fund the wallet", intro, fields, "Make the invoice")
        if answer is None:
            return
        quote = await self.controller.wallet_call(
            "wallet.fund", mint=mint, amount_sat=read_amount(answer["amount"])
        )
        screen = InvoiceScreen(
            self.peer,
            line(quote, "quote_id"),
            str(quote.get("invoice", "")),
            whole(quote, "amount_sat"),
            maybe_real(quote, "expiry"),
        )
        await self.peer.push_screen_wait(screen)

    async def do_send_token(self) -> None:
        from tui.app.screens.form import Field, amount, ask_form, read_amount
        from tui.app.screens.money import TokenScreen
        from tui.app.screens.pick import pick_mint

        mint = await pick_mint(self.peer, "Send ecash")
        if mint is None:
            return
        intro = "You get a token: a text that is money. Hand it over on a way you trust."
        fields = [Field("amount", "Amount in sat", check=amount)]
        answer = await ask_form(self.peer, "Send ecash", intro, fields, "Make the token")
        if answer is None:
            return
        amount_sat = read_amount(answer["amount"])
        result = await self.controller.wallet_call("wallet.send", mint=mint, amount_sat=amount_sat)
        await self.peer.push_screen_wait(
            TokenScreen(self.peer, str(result.get("token", "")), amount_sat)
        )

    async def do_receive_token(self) -> None:
        from tui.app.link import CallFailed
        from tui.app.screens.form import Field, ask_form, confirm

        intro = "Paste a token. It is swapped at once, so that its sender cannot spend it again."
        fields = [Field("token", "Token", placeholder="cashuB…")]
        answer = await ask_form(self.peer, "Receive ecash", intro, fields, "Receive")
        if answer is None:
            return
        token = answer["token"]
        try:
            result = await self.controller.wallet_call("wallet.receive", token=token)
        except CallFailed as exc:
            if exc.trouble.code not in ("untrusted_mint", "mint_untrusted"):
                raise
            detail = f"{exc.trouble.message} Trusting it means that it holds this money for you."
            if not await confirm(self.peer, "A mint you do not use yet", detail, "Trust it"):
                return
            result = await self.controller.wallet_call(
                "wallet.receive", token=token, allow_new_mint=True
            )
        self.peer.say(f"Received {sat(whole(result, 'amount_sat'))}.")

    async def do_pay(self) -> None:
        from tui.app.screens.form import Field, amount, ask_form, confirm, read_amount
        from tui.app.screens.pick import pick_mint

        mint = await pick_mint(self.peer, "Pay an invoice")
        if mint is None:
            return
        fields = [Field("invoice", "Lightning invoice or address", placeholder="lnbc…")]
        answer = await ask_form(self.peer, "Pay an invoice", "", fields, "Ask for the fee")
        if answer is None:
            return
        asked: dict[str, object] = {"mint": mint, "invoice": answer["invoice"]}
        if "@" in answer["invoice"]:
            fields = [Field("amount", "Amount in sat", check=amount)]
            more = await ask_form(self.peer, answer["invoice"], "", fields, "Ask for the fee")
            if more is None:
                return
            asked["amount_sat"] = read_amount(more["amount"])
        quote = await self.controller.wallet_call("wallet.melt.quote", **asked)
        amount_sat, fee = whole(quote, "amount_sat"), whole(quote, "fee_reserve_sat")
        detail = f"At most {sat(fee)} of fees come on top; what is not used comes back."
        if not await confirm(self.peer, f"Pay {sat(amount_sat)}?", detail, "Pay"):
            return
        result = await self.controller.wallet_call("wallet.melt", quote_id=line(quote, "quote_id"))
        if result.get("paid") is True:
            self.peer.say(f"Paid {sat(amount_sat)}; the fee was {sat(whole(result, 'fee_sat'))}.")
        else:
            state = line(result, "state", "pending")
            self.peer.say(
                f"Not paid yet ({state}). The ecash stays reserved until the mint says how it "
                "ended; the wallet keeps asking.",
                "warning",
            )

    async def do_move(self) -> None:
        from tui.app.screens.form import Field, amount, ask_form, confirm, read_amount
        from tui.app.screens.pick import pick_mint

        if len(self.model.wallet.mints) < 2:
            self.peer.say("Moving needs two mints; a adds one.", "warning")
            return
        source = await pick_mint(self.peer, "Move from")
        target = source and await pick_mint(self.peer, "Move to", without=source)
        if not source or not target:
            return
        intro = "One mint pays an invoice of the other. Both take their fees."
        fields = [Field("amount", "How much arrives, in sat", check=amount)]
        answer = await ask_form(self.peer, "Move ecash", intro, fields, "Go on")
        if answer is None:
            return
        amount_sat = read_amount(answer["amount"])
        detail = f"From {source} to {target}; the fees are taken from the first."
        if not await confirm(self.peer, f"Move {sat(amount_sat)}?", detail, "Move"):
            return
        result = await self.controller.wallet_call(
            "wallet.move", source=source, target=target, amount_sat=amount_sat
        )
        if result.get("arrived") is True:
            self.peer.say(f"Moved {sat(amount_sat)}; it cost {sat(whole(result, 'cost_sat'))}.")
        else:
            self.peer.say(
                "The payment is under way; the wallet finishes it and collects what arrives.",
                "warning",
            )

    async def do_add_mint(self) -> None:
        from tui.app.screens.form import Field, ask_form, confirm

        intro = "The mint holds the money behind its ecash. Add only one you would lend money to."
        fields = [Field("url", "Address", placeholder="https://mint.example", check=_url)]
        answer = await ask_form(self.peer, "Add a mint", intro, fields, "Add")
        if answer is None:
            return
        facts = await self.controller.wallet_call("wallet.mints.look", url=answer["url"])
        said = [line(facts, name) for name in ("name", "description", "motd", "version")]
        fee = whole(facts, "input_fee_ppk")
        said.append(f"takes {fee} sat for each 1,000 coins" if fee else "takes no fee")
        detail = "It says of itself: " + " · ".join(words for words in said if words)
        if not await confirm(self.peer, "Trust this mint with money?", detail, "Trust it"):
            return
        await self.controller.wallet_call("wallet.mints.add", url=answer["url"])
        self.peer.say("The mint is added.")

    async def do_restore(self) -> None:
        from tui.app.screens.pick import pick_mint

        mint = await pick_mint(self.peer, "Restore from the seed")
        if mint is None:
            return
        self.peer.say("Asking the mint for ecash of this wallet's seed. This can take a while.")
        result = await self.controller.wallet_call("wallet.restore", mint=mint)
        self.peer.say(f"Restored {sat(whole(result, 'recovered_sat'))}.")


def _health(mint: MintLine) -> Content:
    if mint.healthy is None:
        return Content.styled("unknown", "$muted")
    if mint.healthy:
        return Content.styled("● well", "$success")
    return Content.styled("✗ failing", "$error")


def _url(text: str) -> str:
    good = text.startswith(("https://", "http://")) and len(text) > 10 and " " not in text
    return "" if good else "an address that begins with https:// is needed."
