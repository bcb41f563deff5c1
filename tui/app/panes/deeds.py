"""What the deeds of a pane stand on: the app, its model and its controller, and small questions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui.app.jsonish import record, whole
from tui.app.text import plural

if TYPE_CHECKING:
    from tui.app.app import PeerApp
    from tui.app.controller import Controller
    from tui.app.model import AppModel
    from tui.app.wallet import MintLine


class Deeds:
    """Mixed into a pane, which has all of this."""

    peer: PeerApp
    model: AppModel
    controller: Controller

    def chosen(self) -> MintLine | None:
        """The mint that acts are about."""
        raise NotImplementedError

    def key_of(self, name: str) -> str:
        """The key of an action, as the user has it, for words that mention it."""
        return self.peer.actions.by_name[name].key_words

    async def which_mint(self, title: str, *, without: str = "") -> MintLine | None:
        """One account of the wallet: the only one without asking, else the user's choice."""
        from tui.app.screens.pick import pick_mint

        url = await pick_mint(self.peer, title, without)
        return self.model.wallet.account(url) if url is not None else None

    async def how_much(self, title: str, intro: str, unit: str, button: str) -> int | None:
        """An amount in the unit; None when the user leaves."""
        from tui.app.screens.form import Field, amount, ask_form, read_amount

        fields = [Field("amount", amount_label(unit), check=amount)]
        answer = await ask_form(self.peer, title, intro, fields, button)
        return None if answer is None else read_amount(answer["amount"])

    async def join_network(self) -> None:
        """Ask for an invite, take it, and say what came of it."""
        from tui.app.screens.form import Field, ask_form

        intro = "Paste an invite: the nodes it names are asked for the network, now and later."
        fields = [Field("invite", "Invite", placeholder="P2P1…")]
        answer = await ask_form(self.peer, "Join by an invite", intro, fields, "Join")
        if answer is None:
            return
        joined = record(await self.controller.join(answer["invite"]))
        answered, contacts = whole(joined, "answered"), whole(joined, "contacts")
        known = plural(whole(joined, "relays_known"), "relay")
        if answered:
            self.peer.say(f"{answered} of {plural(contacts, 'node')} answered; {known} known now.")
        else:
            self.peer.say("Nobody answered. The invite is kept and tried again.", "warning")


def amount_label(unit: str) -> str:
    return "Amount in cents (usd)" if unit == "usd" else f"Amount in {unit}"
