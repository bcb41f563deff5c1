"""The steps of `peer2prompt ghost setup`: each asks for one thing and says what hangs on it.

A step takes its answer from an option, else from an earlier setup that was left, else from the
person. Nothing here reads a file, a clock or a network: `Wizard` is handed functions for that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from tui.cli.failures import usage
from tui.cli.ghost.asker import Asker, ask, choose, pick_some, yes
from tui.cli.ghost.draft import Draft
from tui.cli.ghost.reading import dollars, read_costs, read_pair, whole

KINDS = (
    ("openai", "OpenAI, or any server that speaks its chat API"),
    ("openai-responses", "OpenAI's responses API"),
    ("anthropic", "Anthropic's messages API"),
    ("google", "Google Gemini"),
    ("llama-cpp", "a model file on this machine (extra `gpu`)"),
)
OWN_PRICE = [10_000_000, 40_000_000]
"""Of a machine of one's own; what a provider asks is another sum for each model."""
URLS = {
    "openai": "https://api.openai.com/v1",
    "openai-responses": "https://api.openai.com/v1",
    "anthropic": "https://api.anthropic.com",
    "google": "https://generativelanguage.googleapis.com",
}
MODES = (
    ("margin", "the provider's price and a percentage on top"),
    ("fixed", "prices in msat that you set"),
    ("demand", "the first or second, rising with the load"),
)
MODERATIONS = (
    ("none", "nobody reads a question before it is answered"),
    ("rules", "a file of words and phrases on this machine"),
    ("command", "a program of yours on this machine"),
    ("provider", "a moderation service, which sees every question"),
)
SHOWN = 40


class Steps:
    """Answers from options, the draft, or the person, in this order."""

    def __init__(
        self, asker: Asker, draft: Draft, options: Mapping[str, Any], tool: Callable[..., Any]
    ) -> None:
        self.asker = asker
        self.draft = draft
        self.options = options
        self.tool = tool
        self.unchecked: list[str] = []
        """Models whose costs are from the program's own list, and nobody looked at them."""

    def answer(self, name: str, find: Callable[[Any], Any], default: Any = None) -> Any:
        """The option, else what `find` gets from the person with the earlier answer as default."""
        given = self.options.get(name)
        if given is None and self.options.get("yes"):
            given = self.draft.answers.get(name, default)
        if given is None:
            given = find(self.draft.answers.get(name, default))
        return self.draft.keep(name, given)

    # -- who is asked ----------------------------------------------------------------------------

    def upstream(self) -> dict[str, Any]:
        """Kind, address or file, and the name of the key."""
        self.asker.say("1. WHOM YOUR GHOST ASKS")
        kind = self.answer(
            "kind", lambda old: choose(self.asker, "Its API:", KINDS, old or "openai"), "openai"
        )
        if kind == "llama-cpp":
            file = self.answer(
                "model_file", lambda old: ask(self.asker, "Model file (GGUF):", old or "", str)
            )
            return {"kind": kind, "model_file": file}
        usual = URLS.get(kind, "")
        url = self.answer("url", lambda old: ask(self.asker, "Base URL:", old or usual, str), usual)
        return {"kind": kind, "url": url}

    def models(self, listed: Sequence[str]) -> list[str]:
        """Which models are offered."""
        self.asker.say("\n3. WHICH MODELS YOU OFFER")
        for number, name in enumerate(listed[:SHOWN], 1):
            self.asker.say(f"  {number:>3}. {name}")
        if len(listed) > SHOWN:
            self.asker.say(f"  and {len(listed) - SHOWN} more; give their names")

        def read(text: str) -> list[str]:
            return pick_some(text, listed) if listed else text.replace(",", " ").split()

        def find(old: list[str] | None) -> list[str]:
            words = "Names or numbers, separated by commas:"
            return ask(self.asker, words, old or [], read, ", ".join(old or []))

        chosen: list[str] = self.answer("models", find)
        return chosen

    # -- prices ----------------------------------------------------------------------------------

    def costs(
        self,
        models: Sequence[str],
        date: str,
        known: Mapping[str, Sequence[str]],
        told: Mapping[str, Sequence[str]],
    ) -> dict[str, list[str]]:
        """The provider's prices in dollars per million tokens, confirmed one by one: what it `told`
        itself, else what is `known` of a date."""
        self.asker.say("\n4. WHAT THE PROVIDER ASKS (dollars per million tokens, in out cached)")
        if any(model in told for model in models):
            self.asker.say("The provider's own list names these prices now.")
        if any(model not in told for model in models):
            self.asker.say(f"Known list prices are of {date}: check them with your provider.")
        given = dict(self.options.get("costs") or {})
        costs: dict[str, list[str]] = {}
        for model in models:
            old = self.draft.answers.get(f"cost {model}")
            guess = list(told.get(model) or old or known.get(model, []))
            if model in given:
                costs[model] = given[model]
            elif self.options.get("yes"):
                costs[model] = guess
                if model not in told and guess == known.get(model):
                    self.unchecked.append(model)
            else:
                costs[model] = ask(
                    self.asker, f"  {model}:", guess, read_costs, " ".join(guess) or "unknown"
                )
            self.draft.keep(f"cost {model}", costs[model])
        return costs

    def prices(
        self, models: Sequence[str], costs: Mapping[str, Sequence[str]], *, own: bool
    ) -> dict[str, Any]:
        """How your prices are made: settings of [ghost.prices], and of single models. Only for
        machines of one's `own` there is a price to begin with."""
        self.asker.say("\n5. WHAT YOU ASK")
        mode = self.answer(
            "mode", lambda old: choose(self.asker, "Your prices:", MODES, old or "margin"), "margin"
        )
        unknown = [model for model in models if not costs.get(model)]
        if mode == "margin" and unknown:
            mode = self.without_costs(unknown)
        found: dict[str, Any] = {"prices.mode": mode}
        by_costs = mode != "fixed" and not unknown
        if by_costs:
            found["prices.margin_percent"] = self.number("margin", "Margin in percent:", 30)
            found["prices.sat_per_usd"] = self.number("sat_per_usd", "How many sat is a dollar?", 0)
        if mode == "demand":
            found["prices.rise_percent"] = self.number(
                "rise", "At full load how many percent more?", 100
            )
        if not by_costs:
            found["models"] = {model: self.fixed(model, own=own) for model in models}
        return found

    def without_costs(self, unknown: Sequence[str]) -> str:
        """There is no margin over what nobody knows: a person gives prices of their own."""
        words = f"What the provider asks for {', '.join(unknown)} is not known"
        if self.options.get("yes"):
            hint = "Give --cost MODEL=IN:OUT, or --mode fixed and --fixed MODEL=IN:OUT."
            raise usage(f"{words}.", hint=hint)
        self.asker.say(f"{words}, so there is no margin over it: say your own prices.")
        return "fixed"

    def fixed(self, model: str, *, own: bool) -> dict[str, int]:
        """Prices of one model in msat per million tokens."""
        given = (self.options.get("fixed") or {}).get(model)
        name = f"price {model}"
        old = self.draft.answers.get(name, OWN_PRICE if own else None)
        if given is None and self.options.get("yes"):
            given = old
        if given is None:
            words = f"  {model}, msat per 1M tokens, in out:"
            given = ask(self.asker, words, old, read_pair, f"{old[0]} {old[1]}" if old else "")
        self.draft.keep(name, given)
        return {"in_price": given[0], "out_price": given[1]}

    def number(self, name: str, question: str, default: int) -> int:
        """A whole number, zero or more."""
        found: int = self.answer(name, lambda old: ask(self.asker, question, old, whole), default)
        return found

    # -- caps, policy, payout --------------------------------------------------------------------

    def caps(self, *, priced: bool) -> dict[str, Any]:
        """Settings of [ghost.caps]."""
        self.asker.say("\n6. CAPS (0 for none)")
        found: dict[str, Any] = {}
        if priced:
            usd = self.answer(
                "usd_per_day",
                lambda old: ask(self.asker, "Dollars a day at the provider:", old, dollars),
                "5",
            )
            found["caps.usd_per_day"] = usd if Decimal(usd) else None
        found["caps.tokens_per_day"] = self.number("tokens_per_day", "Tokens a day:", 0)
        found["caps.concurrent"] = self.number("concurrent", "Answers at once:", 16)
        found["max_out"] = self.number("max_out", "Tokens in one answer at most:", 2048)
        return found

    def policy(self, categories: Mapping[str, str]) -> dict[str, Any]:
        """Settings of [ghost.policy]."""
        self.asker.say("\n7. WHAT YOU REFUSE")
        hook = self.answer(
            "moderation",
            lambda old: choose(self.asker, "Who reads questions first:", MODERATIONS, old),
            "none",
        )
        found: dict[str, Any] = {"policy.moderation": hook}
        if hook == "rules":
            found["policy.rules"] = self.answer(
                "rules", lambda old: ask(self.asker, "File of rules:", old or "", str), ""
            )
        if hook == "command":
            words = self.answer(
                "command", lambda old: ask(self.asker, "Program and arguments:", old or "", str), ""
            )
            found["policy.command"] = words.split()
        if hook != "none":
            found["policy.refuse"] = self.categories(categories)
        place = self.answer(
            "jurisdiction",
            lambda old: ask(self.asker, "Jurisdiction (like DE, or empty):", old or "", str),
            "",
        )
        found["policy.jurisdiction"] = place or None
        return found

    def categories(self, categories: Mapping[str, str]) -> list[str]:
        """Which categories are refused; none chosen means whatever the hook flags."""
        names = list(categories)
        if "refuse" not in self.options or self.options["refuse"] is None:
            for number, (name, meaning) in enumerate(categories.items(), 1):
                self.asker.say(f"  {number:>3}. {name:<24} {meaning}")

        def find(old: list[str] | None) -> list[str]:
            return ask(
                self.asker,
                "Refused (numbers or names):",
                old or [],
                lambda text: pick_some(text, names),
                ", ".join(old or []) or "none",
            )

        found: list[str] = self.answer("refuse", find, [])
        return found

    def money(self, mints: Sequence[str]) -> dict[str, Any]:
        """Mints that are taken, and where earnings go."""
        self.asker.say("\n8. YOUR MONEY")
        self.asker.say("Earnings are ecash of these mints until they are paid out: a mint that")
        self.asker.say("fails takes them with it. Choose mints you trust, and pay out often.")
        taken = self.answer(
            "mints",
            lambda old: ask(
                self.asker, "Mints:", list(old or mints), lambda text: text.split(),
                " ".join(old or mints),
            ),
            list(mints),
        )  # fmt: skip
        address = self.answer(
            "payout_address",
            lambda old: ask(self.asker, "Lightning address for payout (or empty):", old or "", str),
            "",
        )
        found: dict[str, Any] = {"mints": list(taken), "payout.address": address or None}
        if address:
            found["payout.threshold_sat"] = self.number("threshold", "Pay out above (sat):", 10_000)
        return found

    def listen(self, current: str) -> str:
        """Where the node listens, unless that is set."""
        if current and not self.options.get("listen"):
            return ""
        found: str = self.answer(
            "listen",
            lambda old: ask(self.asker, "Listen on (ADDRESS:PORT):", old or "0.0.0.0:9735", str),
            "0.0.0.0:9735",
        )
        return found

    def terms(self, text: str, digest: str, today: str) -> dict[str, Any]:
        """The provider's terms: shown, and acknowledged by name of their hash or by a yes."""
        if not text:
            return {}
        self.asker.say(f"\n9. THE PROVIDER'S TERMS\n{text}\n")
        given = self.options.get("accept_terms")
        if given not in (True, digest) and not (
            given is None and yes(self.asker, "Have you read them, and may you serve others?")
        ):
            return {}
        return {"terms.text": digest, "terms.acknowledged": today}
