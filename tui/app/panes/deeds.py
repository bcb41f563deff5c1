"""What the deeds of a pane stand on: the app, its model and its controller, and small questions."""

from __future__ import annotations

from typing import TYPE_CHECKING

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


def amount_label(unit: str) -> str:
    return "Amount in cents (usd)" if unit == "usd" else f"Amount in {unit}"
