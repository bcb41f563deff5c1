"""Deeds of the earnings pane: pausing, prices, limits, policy, keys, payouts.

Every change is checked whole by the node, written into its config.toml and used from then on; a
change that does not fit changes nothing, and the node says why.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tui.app.jsonish import Json, line, lines, record, records, whole
from tui.app.panes.deeds import Deeds
from tui.app.panes.ghost_forms import (
    CATEGORIES,
    EXPLAINED,
    MSAT_PER_SHOWN,
    caps_fields,
    day_words,
    model_fields,
    payout_words,
    policy_fields,
    price_fields,
    priced,
)
from tui.app.text import plural

if TYPE_CHECKING:
    from tui.app.link import NodeLink


class GhostDeeds(Deeds):
    @property
    def ghost_link(self) -> NodeLink:
        """The node whose earnings are shown: in the demo another process."""
        return self.peer.ghost_link or self.peer.link

    async def _ask(self, method: str, **params: Any) -> Json:
        """A call that may change the ghost; its figures are read anew."""
        return record(await self._raw(method, **params))

    async def _raw(self, method: str, **params: Any) -> object:
        try:
            answer: object = await self.ghost_link.call(method, **params)
            return answer
        finally:
            self.ghost_link.refresh("ghost.status", "earnings", "ghost.payouts")

    def _is_ghost(self) -> bool:
        if self.model.earnings.enabled:
            return True
        words = "This node is no ghost. `peer2prompt ghost setup` in a terminal makes it one."
        self.peer.say(words, "warning")
        return False

    # -- pausing

    async def do_ghost_pause(self) -> None:
        from tui.app.screens.form import confirm

        if not self._is_ghost():
            return
        if self.model.earnings.ghost.paused:
            await self._ask("ghost.resume")
            self.peer.say("The ghost takes questions again.")
            return
        detail = (
            "No model is offered and no new question is taken until you go on, over a restart, "
            "too. What is being answered goes on to its end."
        )
        if await confirm(self.peer, "Pause the ghost?", detail, "Pause"):
            await self._ask("ghost.pause")
            self.peer.say("The ghost is paused.")

    async def do_ghost_resume(self) -> None:
        """Also after a provider refused the key."""
        if self._is_ghost():
            await self._ask("ghost.resume")
            self.peer.say("The ghost takes questions, and tries every provider again.")

    # -- prices

    async def do_ghost_prices(self) -> None:
        from tui.app.screens.form import ask_form

        if not self._is_ghost():
            return
        now = await self._ask("ghost.prices")
        intro = (
            "fixed: each model's own prices. margin: the provider's list price with this much on "
            "top. demand: the same, and up to the rise more while the ghost is busy. A price that "
            "was quoted to somebody holds for them."
        )
        answer = await ask_form(
            self.peer, "How prices are made", intro, price_fields(now), "Use this"
        )
        if answer is not None:
            mode = answer.pop("mode")
            numbers = {name: int(value) for name, value in answer.items()}
            await self._ask("ghost.prices.set", mode=mode, **numbers)
            self.peer.say("The prices are changed, for what is quoted from now on.")

    async def do_ghost_model(self) -> None:
        from tui.app.screens.form import ask_form

        if not self._is_ghost():
            return
        now = await self._ask("ghost.prices")
        model = await self._which(records(now.get("models")))
        if model is None:
            return
        name = line(model, "model")
        intro, fields = model_fields(model, line(now, "mode"))
        answer = await ask_form(self.peer, f"Price of {name}", intro, fields, "Use this")
        if answer is None:
            return
        change: dict[str, Any] = dict(answer)
        if "in_price" in change:
            change = {key: round(float(value) * MSAT_PER_SHOWN) for key, value in answer.items()}
        await self._ask("ghost.prices.set", models={name: change})
        self.peer.say(f"The price of {name} is changed.")

    async def _which(self, models: list[Json]) -> Json | None:
        """The only model without asking, else the user's choice."""
        from textual.content import Content

        from tui.app.screens.pick import PickScreen

        if len(models) < 2:
            return models[0] if models else None
        options = [(line(m, "model"), Content(priced(m))) for m in models]
        chosen = await self.peer.push_screen_wait(PickScreen("Which model?", "", options))
        return next((m for m in models if line(m, "model") == chosen), None)

    # -- limits and policy

    async def do_ghost_caps(self) -> None:
        from tui.app.screens.form import ask_form

        if not self._is_ghost():
            return
        now = await self._ask("ghost.caps")
        intro = (
            "At a cap of the day (UTC) questions are refused, free for the asker, until the next "
            "day. 0 is no cap. A cap in dollars needs the providers' prices of all models."
        )
        answer = await ask_form(self.peer, "Caps and limits", intro, caps_fields(now), "Use this")
        if answer is not None:
            usd_text = answer.pop("usd_per_day")
            numbers = {name: int(value) for name, value in answer.items()}
            await self._ask("ghost.caps.set", usd_per_day=usd_text, **numbers)
            self.peer.say("The caps are changed, for what comes from now on.")

    async def do_ghost_refuse(self) -> None:
        from tui.app.screens.several import pick_several

        if not self._is_ghost():
            return
        now = await self._ask("ghost.policy")
        intro = (
            "Marked categories are refused before anything is paid. Askers see the list. Something "
            f"must read questions to find out: {self.key_of('ghost_policy')} says what."
        )
        options = [(name, f"{name}: {words}") for name, words in CATEGORIES]
        chosen = await pick_several(
            self.peer, "What this ghost refuses", intro, options, lines(now, "refused")
        )
        if chosen is not None:
            await self._ask("ghost.policy.set", refused=chosen)
            self.peer.say(f"{plural(len(chosen), 'category', 'categories')} refused from now on.")

    async def do_ghost_policy(self) -> None:
        from tui.app.screens.form import ask_form

        if not self._is_ghost():
            return
        now = await self._ask("ghost.policy")
        intro = (
            "none: nobody reads questions first. rules: a file of yours with words and patterns. "
            "command: a program of yours, given each question. provider: a moderation service, "
            "which then reads every question. Askers see which it is. Empty stays as it is."
        )
        answer = await ask_form(self.peer, "Policy", intro, policy_fields(now), "Use this")
        if answer is None:
            return
        change: dict[str, Any] = {"moderation": answer["moderation"]}
        change |= {name: answer[name] for name in ("rules", "url", "key") if answer[name]}
        if answer["command"]:
            change["command"] = answer["command"].split()
        for name in ("images", "tools", "tell_user"):
            change[name] = answer[name] == "yes"
        change["jurisdiction"] = answer["jurisdiction"].upper()
        if answer["moderation"] == "none" and lines(now, "refused"):
            change["refused"] = []
        await self._ask("ghost.policy.set", **change)
        self.peer.say("The policy is changed; sheet and quotes carry it from now on.")

    async def do_ghost_key(self) -> None:
        from tui.app.screens.form import Field, ask_form

        if not self._is_ghost():
            return
        names = self.model.earnings.ghost.keys
        known = f" In the store: {', '.join(names)}." if names else ""
        intro = f"A provider key, kept in the encrypted store and used at once.{known}"
        fields = [
            Field("name", "Its name in the settings", names[0] if names else ""),
            Field("key", "The key; it is not shown", secret=True),
        ]
        answer = await ask_form(self.peer, "A provider's key", intro, fields, "Keep it")
        if answer is not None:
            await self._ask("ghost.key", name=answer["name"], key=answer["key"])
            self.peer.say(f"The key {answer['name']} is kept and used.")

    # -- payouts

    async def do_ghost_payout(self) -> None:
        from tui.app.screens.form import Field, amount, ask_form, confirm, optional, read_amount

        if not self._is_ghost():
            return
        intro = (
            "To a Lightning address. Empty fields: all that is not kept for refunds, to the "
            "address of your settings."
        )
        fields = [
            Field("amount", "Amount in sat", check=optional(amount)),
            Field("address", "Lightning address", placeholder="you@example.org", check=optional()),
        ]
        answer = await ask_form(self.peer, "Pay out", intro, fields, "Go on")
        if answer is None:
            return
        sat = read_amount(answer["amount"]) if answer["amount"] else None
        what = f"{sat:,} sat" if sat is not None else "all that may be paid out"
        where = answer["address"] or "the address of your settings"
        detail = "A Lightning payment cannot be called back. Its fee is bounded by your settings."
        if not await confirm(self.peer, f"Pay {what} to {where}?", detail, "Pay"):
            return
        made = records(await self._raw("ghost.payout", address=answer["address"], amount_sat=sat))
        paid = sum(whole(one, "amount_sat") for one in made if line(one, "state") == "paid")
        failed = [one for one in made if line(one, "state") == "failed"]
        if failed:
            self.peer.say(f"Not all was paid: {line(failed[0], 'error')}", "warning")
        elif made:
            self.peer.say(f"{paid:,} sat paid out." if paid else "The payment is under way.")
        else:
            self.peer.say("There is nothing to pay out.", "warning")

    async def do_ghost_payouts(self) -> None:
        from tui.app.screens.facts import FactsScreen

        if not self._is_ghost():
            return
        await self._raw("ghost.status")
        view = self.model.earnings
        view.set_payouts(await self.ghost_link.call("ghost.payouts"))
        facts = [(day_words(one.ts), payout_words(one)) for one in view.payouts]
        screen = FactsScreen("Payouts", facts or [("", "Nothing was paid out yet.")])
        await self.peer.push_screen_wait(screen)

    # -- words

    async def do_ghost_explain(self) -> None:
        from tui.app.screens.facts import FactsScreen

        await self.peer.push_screen_wait(FactsScreen("What these numbers mean", EXPLAINED))
