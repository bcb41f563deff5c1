"""Deeds of the mints pane about ecash as text: tokens out and in, locks, keys, requests."""

from __future__ import annotations

import time

from tui.app.jsonish import Json, line, whole
from tui.app.panes.deeds import Deeds, amount_label
from tui.app.text import money

UNTRUSTED = ("untrusted_mint", "mint_untrusted")
HOUR_S = 3600


class EcashDeeds(Deeds):
    # -- out

    async def do_send_token(self) -> None:
        mint = await self.which_mint("Send ecash")
        if mint is None:
            return
        intro = "You get a token: a text that is money. Hand it over on a way you trust."
        amount_sat = await self.how_much("Send ecash", intro, mint.unit, "Make the token")
        if amount_sat is not None:
            await self._send(mint.url, mint.unit, amount_sat, None, "")

    async def do_send_locked(self) -> None:
        from tui.app.screens.form import (
            Field,
            amount,
            ask_form,
            optional,
            read_amount,
            whole_number,
        )

        mint = await self.which_mint("Send locked ecash")
        if mint is None:
            return
        intro = (
            "Only whoever has the key can take the token, so it may be seen on its way. Ask the "
            f"payee for a fresh key. A key for refunds (yours: {self.key_of('own_key')}) can take "
            "it back after the hours."
        )
        fields = [
            Field("amount", amount_label(mint.unit), check=amount),
            Field("keys", "Key of the payee; between several keys a space"),
            Field("needs", "How many of these keys must sign", "1", check=whole_number),
            Field(
                "hours", "The lock holds for hours (empty: for ever)", check=optional(whole_number)
            ),
            Field("refund", "Key for refunds (may be empty)", check=optional()),
        ]
        answer = await ask_form(self.peer, "Send locked ecash", intro, fields, "Make the token")
        if answer is None:
            return
        until = int(time.time()) + int(answer["hours"]) * HOUR_S if answer["hours"] else None
        lock = {
            "keys": answer["keys"].split(),
            "needs": int(answer["needs"]),
            "until": until,
            "refund_keys": answer["refund"].split(),
        }
        note = "It is locked: only whoever has the key can take it. Whoever has none has only text."
        await self._send(mint.url, mint.unit, read_amount(answer["amount"]), lock, note)

    async def _send(
        self, mint: str, unit: str, amount_sat: int, lock: dict[str, object] | None, intro: str
    ) -> None:
        result = await self.controller.wallet_call(
            "wallet.send", mint=mint, amount_sat=amount_sat, lock=lock
        )
        await self._show_token(str(result.get("token", "")), amount_sat, unit, intro)

    async def _show_token(self, token: str, amount_sat: int, unit: str, intro: str = "") -> None:
        from tui.app.screens.money import TokenScreen

        await self.peer.push_screen_wait(
            TokenScreen(self.peer, token, amount_sat, unit, intro=intro)
        )

    async def do_sent_tokens(self) -> None:
        from tui.app.screens.sent import SentScreen

        await self.peer.push_screen_wait(SentScreen(self.peer))

    # -- in

    async def do_receive_token(self) -> None:
        from tui.app.link import CallFailed
        from tui.app.screens.form import Field, ask_form, confirm, optional

        intro = (
            "Paste a token, locked to a key of this wallet or not. It is swapped at once, so that "
            "its sender cannot spend it again."
        )
        fields = [
            Field("token", "Token", placeholder="cashuB…"),
            Field("preimage", "Only for a token locked to a hash: its preimage", check=optional()),
        ]
        answer = await ask_form(self.peer, "Receive ecash", intro, fields, "Receive")
        if answer is None:
            return
        asked = {"token": answer["token"], "preimage": answer["preimage"]}
        try:
            result = await self.controller.wallet_call("wallet.receive", **asked)
        except CallFailed as exc:
            if exc.trouble.code not in UNTRUSTED:
                raise
            detail = f"{exc.trouble.message} Trusting it means that it holds this money for you."
            if not await confirm(self.peer, "A mint you do not use yet", detail, "Trust it"):
                return
            result = await self.controller.wallet_call(
                "wallet.receive", **asked, allow_new_mint=True
            )
        unit = line(result, "mint").partition("#")[2] or "sat"
        self.peer.say(f"Received {money(whole(result, 'amount_sat'), unit)}.")

    async def do_own_key(self) -> None:
        from tui.app.screens.money import TextScreen

        found = await self.controller.wallet_call("wallet.key")
        intro = "Ecash locked to this key can be taken only by this wallet. Use one for each payer."
        await self.peer.push_screen_wait(
            TextScreen(self.peer, "A key for others to lock to", intro, line(found, "key"), "key")
        )

    async def do_cosign(self) -> None:
        from tui.app.screens.form import Field, ask_form
        from tui.app.screens.money import TextScreen

        intro = "Adds this wallet's signatures to a token that several keys must sign."
        fields = [Field("token", "Token", placeholder="cashuB…")]
        answer = await ask_form(self.peer, "Sign a shared token", intro, fields, "Sign")
        if answer is None:
            return
        signed = await self.controller.wallet_call("wallet.cosign", token=answer["token"])
        intro = "Hand it to the next signer, or to whoever takes it when it has all signatures."
        token = str(signed.get("token", ""))
        await self.peer.push_screen_wait(
            TextScreen(self.peer, "The token with your signatures", intro, token, "token")
        )

    # -- requests

    async def do_request(self) -> None:
        from tui.app.screens.form import Field, amount, ask_form, optional, read_amount
        from tui.app.screens.money import TextScreen

        intro = "A text that asks for ecash of your mints, locked to a fresh key of this wallet."
        fields = [
            Field("amount", "Amount in sat (empty: the payer chooses)", check=optional(amount)),
            Field("text", "What it is for (the payer sees it)", check=optional()),
        ]
        answer = await ask_form(self.peer, "Ask to be paid", intro, fields, "Make the request")
        if answer is None:
            return
        asked: dict[str, object] = {"description": answer["text"]}
        if answer["amount"]:
            asked["amount_sat"] = read_amount(answer["amount"])
        made = await self.controller.wallet_call("wallet.request", **asked)
        intro = f"The payer gives you a token for it: {self.key_of('receive_token')} takes it."
        text = str(made.get("request", ""))
        code = str(made.get("compact", ""))
        await self.peer.push_screen_wait(
            TextScreen(self.peer, "A payment request", intro, text, "request", code=code)
        )

    async def do_pay_request(self) -> None:
        from tui.app.screens.form import Field, amount, ask_form, confirm, optional, read_amount

        intro = "Pays from the mint that has the most of those the request names."
        fields = [
            Field("request", "Payment request", placeholder="creqA… or CREQB…"),
            Field("amount", "Amount, if it is left open", check=optional(amount)),
        ]
        answer = await ask_form(self.peer, "Pay a request", intro, fields, "Go on")
        if answer is None:
            return
        asked: dict[str, object] = {"request": answer["request"]}
        what = "what it asks for"
        if answer["amount"]:
            asked["amount_sat"] = read_amount(answer["amount"])
            what = money(read_amount(answer["amount"]))
        detail = "The ecash is locked as the request says, and delivered where it says so."
        if await confirm(self.peer, f"Pay {what}?", detail, "Pay"):
            await self._paid_request(
                await self.controller.wallet_call("wallet.request.pay", **asked)
            )

    async def _paid_request(self, paid: Json) -> None:
        unit = line(paid, "mint").partition("#")[2] or "sat"
        amount_sat = whole(paid, "amount_sat")
        if paid.get("delivered") is True:
            self.peer.say(f"Paid {money(amount_sat, unit)}; the token was delivered.")
            return
        intro = "It could not be delivered by itself: hand it to whoever asked."
        await self._show_token(str(paid.get("token", "")), amount_sat, unit, intro)
