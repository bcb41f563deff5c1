"""Deeds of the mints pane that keep things in order: mints, history, privacy, restoring, seed."""

from __future__ import annotations

from tui.app.jsonish import Json, line, maybe_real, records, whole
from tui.app.panes.deeds import Deeds
from tui.app.text import moment, money, percent, took
from tui.app.wallet import HistoryLine, MintLine

COUNTS = ("spread", "even_percent", "ahead", "ahead_sat", "max_chunk_sat")
LOCKING = ("off", "when-offered", "always")

EXPLAINED = (
    ("ready", "Ecash that can be spent now. It is a promise of its mint: if the mint closes or "
     "lies, it is lost. Keep little, at several."),
    ("reserved", "Coins in payments under way. They are spent, or come back by themselves."),
    ("resting", "Came in lately and is not spent yet, so that the mint cannot tell by the time "
     "that what came in and what goes out are one person's. g shows how long, and its cost."),
    ("held", "At the mint until a Lightning payment under way ends well or not."),
    ("failed", "Of the last fifty requests to this mint, those that went wrong."),
    ("latency", "The middle of the last fifty answers. The way there leads through relays, so that "
     "the mint does not learn your address."),
    ("health", "well: it answers. look: it does, but something is odd; Enter tells what. failing: "
     "it does not answer now. What you hold there is neither lost nor gone by that."),
    ("what moved", "The newest first. An answer is paid ahead in chunks, and what it did not use "
     "comes back: so two lines may belong to one answer."),
)  # fmt: skip


class UpkeepDeeds(Deeds):
    # -- mints

    async def do_add_mint(self) -> None:
        from tui.app.screens.form import Field, ask_form, confirm

        intro = (
            "The mint holds the money behind its ecash. Add only one you would lend money to. "
            "Other units than sat are added apart: https://mint.example#usd."
        )
        fields = [Field("url", "Address", placeholder="https://mint.example", check=_url)]
        answer = await ask_form(self.peer, "Add a mint", intro, fields, "Look at it")
        if answer is None:
            return
        facts = await self.controller.wallet_call("wallet.mints.look", url=answer["url"])
        detail = "It says of itself: " + " · ".join(_said(facts))
        if not await confirm(self.peer, "Trust this mint with money?", detail, "Trust it"):
            return
        await self.controller.wallet_call("wallet.mints.add", url=answer["url"])
        self.peer.say("The mint is added.")

    async def do_forget_mint(self) -> None:
        from tui.app.screens.form import confirm

        mint = await self.which_mint("Forget a mint")
        if mint is None:
            return
        detail = "It is asked nothing any more. It can be added again at any time."
        if await confirm(self.peer, f"Forget {mint.title}?", detail, "Forget it"):
            await self.controller.wallet_call("wallet.mints.forget", url=mint.url)
            self.peer.say(f"{mint.title} is off the list.")

    async def do_mint_details(self) -> None:
        from tui.app.screens.facts import FactsScreen

        mint = self.chosen()
        if mint is None:
            words = f"There is no mint yet; {self.key_of('add_mint')} adds one."
            self.peer.say(words, "warning")
            return
        await self.peer.push_screen_wait(FactsScreen(mint.title, _facts(mint), mint.warnings))

    async def do_swap(self) -> None:
        from tui.app.screens.form import confirm

        mint = await self.which_mint("Swap for fresh coins")
        if mint is None:
            return
        detail = (
            "Every coin at this mint is exchanged for a fresh one: whoever has a copy of the old "
            "ones, from a backup for example, has nothing then. Costs the mint's fee for inputs."
        )
        have = money(mint.available_sat, mint.unit)
        if await confirm(self.peer, f"Swap {have} at {mint.title}?", detail, "Swap"):
            done = await self.controller.wallet_call("wallet.swap", mint=mint.url)
            self.peer.say(f"Swapped {money(whole(done, 'amount_sat'), mint.unit)}.")

    def do_mints_explain(self) -> None:
        from tui.app.screens.facts import FactsScreen

        self.peer.push_screen(FactsScreen("What the balances mean", EXPLAINED))

    # -- history

    async def do_find(self) -> None:
        from tui.app.screens.form import Field, ask_form, optional

        fields = [Field("text", "Words, or a part of a mint's address", check=optional())]
        answer = await ask_form(self.peer, "Search what moved", "", fields, "Search")
        if answer is not None:
            await self.controller.search_history(answer["text"])

    async def do_find_off(self) -> None:
        await self.controller.search_history("")

    def show_line(self, item: HistoryLine) -> None:
        """One entry of the history, whole."""
        from tui.app.screens.facts import FactsScreen

        facts = [
            ("when", moment(item.ts, "%d %B %Y %H:%M:%S")),
            ("amount", money(item.amount_sat, item.unit, sign=True)),
            ("what", item.detail or item.kind),
            ("kind", item.kind),
            ("mint", item.mint),
        ]
        self.peer.push_screen(FactsScreen("What moved", facts))

    # -- privacy

    async def do_policy(self) -> None:
        from tui.app.screens.form import Field, ask_form, seconds, whole_number, yes_or_no

        now = await self.controller.wallet_call("wallet.policy")
        costs = {line(c, "name"): line(c, "drawback") for c in records(now.get("choices"))}
        intro = "What keeps a mint from linking what comes in with what goes out, and its cost."
        fields = [
            Field("rest_min_s", "Rest at least, s", _number(now, "rest_min_s"), check=seconds),
            Field(
                "rest_max_s",
                f"Rest at most, s: {costs.get('rest', '')}",
                _number(now, "rest_max_s"),
                check=seconds,
            ),
            yes_or_no(
                "round_up",
                f"Usual amounts: {costs.get('usual amounts', '')}",
                now.get("round_up"),
            ),
            Field(
                "spread",
                f"Spread over mints: {costs.get('spread', '')}",
                str(whole(now, "spread", 1)),
                check=whole_number,
            ),
            Field(
                "even_percent",
                f"Even out from percent on, 0 never: {costs.get('even', '')}",
                str(whole(now, "even_percent")),
                check=whole_number,
            ),
            Field(
                "ahead",
                f"Payments ready ahead: {costs.get('ahead', '')}",
                str(whole(now, "ahead")),
                check=whole_number,
            ),
            Field(
                "ahead_sat",
                "Size of each, sat",
                str(whole(now, "ahead_sat", 16)),
                check=whole_number,
            ),
            Field(
                "lock_chunks",
                f"Lock payments to ghosts: {costs.get('lock chunks', '')}",
                line(now, "lock_chunks", "off"),
                choices=LOCKING,
            ),
            Field(
                "max_chunk_sat",
                f"Largest chunk for a ghost, sat: {costs.get('largest chunk', '')}",
                str(whole(now, "max_chunk_sat", 1000)),
                check=whole_number,
            ),
        ]
        answer = await ask_form(self.peer, "Privacy towards mints", intro, fields, "Use this")
        if answer is None:
            return
        await self.controller.wallet_call(
            "wallet.policy.set",
            rest_min_s=float(answer["rest_min_s"]),
            rest_max_s=float(answer["rest_max_s"]),
            round_up=answer["round_up"] == "yes",
            lock_chunks=answer["lock_chunks"],
            **{name: int(answer[name]) for name in COUNTS},
        )
        self.peer.say("The privacy policy is changed, for what comes from now on.")

    async def do_wake(self) -> None:
        from tui.app.screens.form import confirm

        detail = "Their mint can then see how fresh they are, and so that they are yours."
        if await confirm(self.peer, "Spend resting coins now?", detail, "Wake them"):
            woken = await self.controller.wallet_call("wallet.wake")
            self.peer.say(f"{money(whole(woken, 'amount_sat'))} may be spent now.")

    # -- restoring

    async def do_restore(self) -> None:
        from tui.app.screens.form import confirm
        from tui.app.screens.restore import RestoreScreen

        detail = (
            "Every mint on the list is asked for ecash made from this wallet's seed words. It can "
            "take minutes, and nothing is lost when it is left."
        )
        if await confirm(self.peer, "Restore from the seed?", detail, "Restore"):
            await self.peer.push_screen_wait(RestoreScreen(self.peer))

    async def do_seed(self) -> None:
        from tui.app.screens.form import confirm
        from tui.app.screens.restore import WordsScreen

        detail = (
            "Whoever sees these twelve words owns the ecash: now, on a screen that is shared, or "
            "in a picture of it. Write them on paper."
        )
        if await confirm(self.peer, "Show the seed words?", detail, "Show them"):
            found = await self.controller.wallet_call("wallet.seed")
            await self.peer.push_screen_wait(WordsScreen(line(found, "words").split()))


def _facts(mint: MintLine) -> list[tuple[str, str]]:
    latency = took(mint.latency_ms) if mint.latency_ms is not None else "not asked yet"
    health = "well" if mint.healthy else "unknown" if mint.healthy is None else "failing"
    return [
        ("address", mint.url),
        ("ready", money(mint.available_sat, mint.unit)),
        ("reserved", f"{money(mint.reserved_sat, mint.unit)} in payments under way"),
        ("resting", f"{money(mint.resting_sat, mint.unit)} fresh, to be spent later"),
        ("held", f"{money(mint.held_sat, mint.unit)} until the mint decides"),
        ("health", health),
        ("answers in", f"{latency} (the middle of the last fifty)"),
        ("failed", f"{percent(mint.failures_percent / 100)} of the last fifty"),
        ("last error", mint.last_error or "none"),
    ]


def _said(facts: Json) -> list[str]:
    said = [line(facts, name) for name in ("name", "description", "motd", "version")]
    fee = whole(facts, "input_fee_ppk")
    said.append(f"takes {fee} sat for each 1,000 coins" if fee else "takes no fee")
    return [words for words in said if words]


def _number(source: Json, name: str) -> str:
    return f"{maybe_real(source, name) or 0:g}"


def _url(text: str) -> str:
    good = text.startswith(("https://", "http://")) and len(text) > 10 and " " not in text
    return "" if good else "an address that begins with https:// is needed."
