"""`peer2prompt ghost setup` from the first question to the written settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tui.cli.failures import CliError, usage
from tui.cli.ghost.asker import Asker, yes
from tui.cli.ghost.draft import Draft
from tui.cli.ghost.steps import Steps

Tool = Callable[..., dict[str, Any]]


class Wizard:
    """Runs the steps in order. `tool` asks the engine, `keep_key` puts a key into the store."""

    def __init__(
        self,
        asker: Asker,
        draft: Draft,
        options: Mapping[str, Any],
        tool: Tool,
        keep_key: Callable[[str, str], None],
    ) -> None:
        self._asker = asker
        self._draft = draft
        self._options = options
        self._tool = tool
        self._keep_key = keep_key
        self._steps = Steps(asker, draft, options, tool)
        self._told: Mapping[str, list[str]] = {}
        """What the provider's own list asks."""

    def run(self) -> dict[str, Any]:
        """The tool's answer to `write`. Raises CliError."""
        current = self._tool("current")
        self._greet(current)
        upstream = self._steps.upstream()
        listed = self._key(upstream)
        models = self._steps.models(listed)
        if not models:
            raise usage("No model is chosen.", hint="Use --models NAME,NAME.")
        facts = self._tool("facts", models=models, upstreams=[upstream])
        own = not facts["terms"]
        costs: dict[str, list[str]] = {}
        if not own or self._options.get("costs"):
            costs = self._steps.costs(models, facts["price_date"], facts["prices"], self._told)
        prices = self._steps.prices(models, costs, own=own)
        if prices.get("prices.sat_per_usd"):
            prices["prices.rate_on"] = facts["today"]
        priced = bool(models) and all(costs.get(model) for model in models)
        caps = self._steps.caps(priced=priced)
        policy = self._steps.policy(facts["categories"])
        money = self._steps.money(current["mints"])
        listen = self._steps.listen(current["listen"])
        terms = self._steps.terms(facts["terms"], facts["terms_hash"], facts["today"])
        if facts["terms"] and not terms:
            raise CliError(
                "Without the provider's terms acknowledged the ghost does not start.",
                code="terms",
                exit_code=2,
                kept="The answers so far are kept; nothing was written.",
                hint="Read them, then `peer2prompt ghost setup` again (--accept-terms).",
            )
        per_model = prices.pop("models", {})
        tables = [
            {"name": model, **_costs(costs.get(model)), **per_model.get(model, {})}
            for model in models
        ]
        done = self._write(
            {
                "roles": ["ghost"],
                "listen": listen,
                "upstreams": [{**upstream, "models": models}],
                "models": tables,
                "ghost": {**prices, **caps, **policy, **money, **terms},
            }
        )
        return {**done, "notes": self._notes(facts["price_date"])}

    def _notes(self, date: str) -> list[str]:
        """What a script's owner should look at."""
        names = ", ".join(self._steps.unchecked)
        note = (
            f"What the provider asks for {names} is from a list of {date} that nobody checked: "
            "see `peer2prompt ghost prices`, change it with --cost MODEL=IN:OUT."
        )
        return [note] if names else []

    def _greet(self, current: Mapping[str, Any]) -> None:
        self._asker.say(
            "A ghost answers strangers' questions through your account or machine, for ecash. "
            "It sees their questions and not who they are. Enter keeps what is in brackets."
        )
        if current["ghost"]:
            self._asker.say("There is a ghost in your settings; what you choose takes its place.")
        if not self._draft.exists:
            return
        if self._options.get("yes") or yes(
            self._asker, "Go on with the answers of last time?", default=True
        ):
            self._draft.load()

    def _key(self, upstream: dict[str, Any]) -> list[str]:
        """Keep the key, and list the provider's models if that is wanted; the key's name goes into
        the upstream."""
        if upstream["kind"] == "llama-cpp":
            return []
        self._asker.say("\n2. YOUR KEY (kept in the encrypted store, never in a file)")
        key = self._options.get("key")
        if key is None and not self._options.get("no_key") and not self._options.get("key_name"):
            key = self._asker.secret("Paste it; it is not shown (empty: none needed):")
        name = str(self._options.get("key_name") or upstream["kind"])
        if key:
            if not self._options.get("dry_run"):
                self._keep_key(name, key)
            upstream["key"] = name
        elif self._options.get("key_name"):
            upstream["key"] = name
        if self._options.get("check") is False:
            return []
        question = "Ask the provider for its list of models now? It is one call and free."
        agreed = self._options.get("check") or self._options.get("yes")
        if not agreed and not yes(self._asker, question, default=True):
            return []
        return self._list(upstream, key or "")

    def _list(self, upstream: Mapping[str, Any], key: str) -> list[str]:
        try:
            found = self._tool("models", kind=upstream["kind"], url=upstream["url"], key=key)
        except CliError as error:
            if self._options.get("yes") or self._options.get("check"):
                raise
            self._asker.say(f"  {error} You can go on and name the models yourself.")
            return []
        self._told = found["prices"]
        return list(found["models"])

    def _write(self, settings: dict[str, Any]) -> dict[str, Any]:
        checked = self._tool("write", dry_run=True, **settings)
        if self._options.get("dry_run"):
            return checked
        self._asker.say("\n10. THE SETTINGS")
        self._asker.say("\n".join(f"  {line}" for line in checked["text"].splitlines()))
        agreed = self._options.get("yes")
        if not agreed and not yes(self._asker, f"Write them to {checked['path']}?", default=True):
            raise usage("Nothing was written.", hint="Your answers are kept for next time.")
        done = self._tool("write", **settings)
        self._draft.drop()
        return done


def _costs(costs: list[str] | None) -> dict[str, str]:
    names = ("in_usd", "out_usd", "cached_usd")
    return dict(zip(names, costs or (), strict=False))
