"""Deeds of the network pane: inviting, joining, and the user's word on ghosts."""

from __future__ import annotations

import time

from tui.app.ghosts import GhostLine, price_of
from tui.app.jsonish import line, record, whole
from tui.app.panes.deeds import Deeds
from tui.app.text import plural

EXPLAINED = (
    ("score", "From 0 to 1: honesty, reliability, steady prices and room, weighed. A new ghost "
     "stands in the middle and gets few sessions until it has shown something."),
    ("why", "What was noted in your own sessions in the last half year; old things count less."),
    ("first word", "From a question to the first word of its answer, path and queue included."),
    ("price", "Of its cheapest model, in sat for a million tokens read / written."),
    ("★ trusted", "You said so. It never counts as new and is never left alone but by you."),
    ("○ new", "Not enough is known. All new ghosts together get a small share of sessions."),
    ("✗ left alone", "It broke its word, or you said so: no session goes there. Resting is short: "
     "it failed, and is asked again soon, or when there is no other."),
    ("evidence", "Signed by the ghost itself and kept encrypted; it shows others what it did, "
     "and is only given out if you export it."),
)  # fmt: skip
MARKS = {
    "trust": (
        "Trust {}?",
        "It is never left alone by itself and never counts as new, whatever it does, until you "
        "forget the mark.",
        "Trust it",
        "{} is trusted.",
    ),
    "quarantine": (
        "Leave {} alone?",
        "It is never asked again unless you name it, until you forget the mark.",
        "Leave it alone",
        "{} is left alone.",
    ),
    "forget": (
        "Forget what is known of {}?",
        "Your marks, what was noted and its quarantine go, as if it had never been met.",
        "Forget",
        "{} is new again.",
    ),
}


class NetworkDeeds(Deeds):
    def chosen_ghost(self) -> GhostLine | None:
        """The ghost under the cursor."""
        raise NotImplementedError

    async def do_invite(self) -> None:
        from tui.app.screens.invite import InviteScreen

        answer = record(await self.controller.link.call("network.invite"))
        screen = InviteScreen(self.peer, line(answer, "invite"), line(answer, "short"))
        await self.peer.push_screen_wait(screen)

    async def do_join(self) -> None:
        await self.join_network()

    # -- ghosts

    def _ghost(self) -> GhostLine | None:
        ghost = self.chosen_ghost()
        if ghost is None:
            self.peer.say("No ghost is known yet.", "warning")
        return ghost

    async def do_ghost_facts(self) -> None:
        from tui.app.screens.facts import FactsScreen

        ghost = self._ghost()
        if ghost is not None:
            price = price_of(ghost.short_id, self.model.offers)
            facts = ghost.facts(price.words if price is not None else "", time.time())
            await self.peer.push_screen_wait(FactsScreen(f"Ghost {ghost.short_id}", facts))

    async def do_ghost_trust(self) -> None:
        await self._mark("trust")

    async def do_ghost_ban(self) -> None:
        await self._mark("quarantine")

    async def do_ghost_forget(self) -> None:
        await self._mark("forget")

    async def _mark(self, mark: str) -> None:
        from tui.app.screens.form import confirm

        ghost = self._ghost()
        if ghost is None:
            return
        question, detail, yes, done = MARKS[mark]
        if await confirm(self.peer, question.format(ghost.short_id), detail, yes):
            await self.controller.link.call("ghosts.mark", ghost=ghost.full_id, mark=mark)
            self.controller.link.refresh("ghosts", "status", "models")
            self.peer.say(done.format(ghost.short_id))

    async def do_ghosts_explain(self) -> None:
        from tui.app.screens.facts import FactsScreen

        probes = self.model.ghosts.probes
        facts = [*EXPLAINED, *([("tests", probes)] if probes else [])]
        await self.peer.push_screen_wait(FactsScreen("What is known of ghosts", facts))

    # -- evidence

    async def do_evidence_copy(self) -> None:
        """The node says no where the settings do not let it out."""
        from tui.app.screens.form import confirm

        detail = (
            "The file shows which ghosts you asked and when, by their own signatures; no text. "
            "Whoever gets it can check it without trusting you."
        )
        if not await confirm(self.peer, "Copy your evidence to give it away?", detail, "Copy"):
            return
        answer = record(await self.controller.link.call("evidence.export"))
        count = plural(whole(answer, "documents"), "document")
        self.peer.copy(str(answer.get("data") or ""), f"{count} of evidence")

    async def do_evidence_take(self) -> None:
        from tui.app.screens.form import Field, ask_form

        intro = "Evidence somebody gave you. It is checked; it never quarantines by itself."
        fields = [Field("data", "The file's text")]
        answer = await ask_form(self.peer, "Take evidence", intro, fields, "Check it")
        if answer is None:
            return
        taken = record(await self.controller.link.call("evidence.import", data=answer["data"]))
        self.controller.link.refresh("ghosts")
        self.peer.say(
            f"{whole(taken, 'new')} new, {whole(taken, 'known')} known, "
            f"{whole(taken, 'unproven')} that prove nothing."
        )
