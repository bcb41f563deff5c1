"""The guided start: page after page, left and taken up again, each step skippable.

The deeds are those of the panes; the node keeps how far it came.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import TYPE_CHECKING

from tui.app.first_run.steps import NAMES, STEPS, place_of
from tui.app.jsonish import line, record
from tui.app.link import CallFailed
from tui.app.panes.mints_lightning import LightningDeeds
from tui.app.panes.mints_upkeep import UpkeepDeeds
from tui.app.text import money, plural
from tui.app.wallet import MintLine

if TYPE_CHECKING:
    from tui.app.app import PeerApp

DONE = "done"
ASKED_WORDS = 3
FEW_RELAYS = 4  # three relays and a ghost are the least that a path needs


class Guide(LightningDeeds, UpkeepDeeds):
    """One run of the guided start."""

    def __init__(self, app: PeerApp) -> None:
        self.peer, self.model, self.controller = app, app.model, app.controller
        self._written = False

    def chosen(self) -> MintLine | None:
        mints = self.model.wallet.mints
        return mints[0] if mints else None

    async def offer(self) -> None:
        """At the start of the screen: go on where the last run was left, if it was."""
        step = line(record(await self.peer.link.call("guide")), "step", DONE)
        if step != DONE:
            await self.run(place_of(step))

    async def run(self, place: int = 0) -> None:
        """From page `place` until the end, or until the user leaves."""
        from tui.app.first_run.page import PageScreen

        while place < len(STEPS):
            step = STEPS[place]
            await self._look()
            facts, done = self._facts(step.name)
            wish = await self.peer.push_screen_wait(PageScreen(step, facts, done=done))
            if wish == "later":
                self.peer.say("The guided start goes on the next time; Ctrl+P finds it, too.")
                return
            if wish == "act":
                await self._act(step.name)
                continue
            place += -1 if wish == "back" else 1
            await self._remember(NAMES[place] if place < len(NAMES) else DONE)

    async def _look(self) -> None:
        """Fresh figures for the page; without them the page says what it knows."""
        try:
            status = await self.peer.link.call("status")
            balance = await self.peer.link.call("wallet.balance")
            models = await self.peer.link.call("models")
        except CallFailed:
            return
        self.model.set_status(status)
        self.model.wallet.balance(balance)
        self.model.set_offers(models)

    async def _remember(self, step: str) -> None:
        await self.peer.link.call("guide.set", step=step)

    def _facts(self, name: str) -> tuple[list[tuple[str, bool]], bool]:
        """What is known about a step, and whether it is done."""
        wallet, status = self.model.wallet, self.model.status
        if name == "words":
            said = "You have the words." if self._written else "Nobody has checked the words yet."
            return [(said, self._written)], self._written
        if name == "network":
            relays, ghosts = status.relays_known or 0, status.ghosts_known or 0
            known = f"{plural(relays, 'relay')} and {plural(ghosts, 'ghost')} are known."
            return [(known, relays >= FEW_RELAYS)], relays >= FEW_RELAYS
        if name == "mint":
            mints = [(mint.title, mint.healthy is not False) for mint in wallet.mints]
            return mints or [("No mint yet.", False)], bool(mints)
        if name == "fund":
            return [(f"{money(wallet.total_sat)} are ready.", bool(wallet.total_sat))], bool(
                wallet.total_sat
            )
        if name == "model":
            chosen = self.model.chat.current.model
            said = f"Your next question goes to {chosen}." if chosen else "No model is on offer."
            return [(said, bool(chosen))], bool(chosen)
        return [], True

    async def _act(self, name: str) -> None:
        deeds: dict[str, Callable[[], object]] = {
            "words": self._words,
            "network": self.join_network,
            "mint": self.do_add_mint,
            "fund": self.do_fund,
            "model": self._choose,
        }
        try:
            await deeds[name]()  # type: ignore[misc]
        except CallFailed as exc:
            trouble = exc.trouble
            self.peer.say(f"{trouble.message} {trouble.hint}".strip(), "error")

    async def _words(self) -> None:
        """Show the words, then ask for three of them."""
        from tui.app.screens.form import Field, ask_form
        from tui.app.screens.restore import WordsScreen

        words = line(record(await self.peer.link.call("wallet.seed")), "words").split()
        await self.peer.push_screen_wait(WordsScreen(words))
        places = sorted(random.SystemRandom().sample(range(len(words)), ASKED_WORDS))
        fields = [
            Field(str(place), f"Word {place + 1}", check=_same_as(words[place])) for place in places
        ]
        intro = "From your paper, so that you know that you can read it."
        if await ask_form(self.peer, "Three of the words", intro, fields, "Check") is not None:
            self._written = True

    async def _choose(self) -> None:
        from tui.app.screens.pick import pick_model

        name = await pick_model(self.peer)
        if name:
            self.model.chat.current.model = name


def _same_as(word: str) -> Callable[[str], str]:
    def check(text: str) -> str:
        return "" if text.lower() == word else "that is another word."

    return check
