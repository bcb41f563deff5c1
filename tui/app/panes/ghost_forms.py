"""Fields, checks and words of the dialogs by which a ghost is operated. No widgets, no calls."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui.app.earnings import PayoutLine
from tui.app.jsonish import Json, line, maybe_real, maybe_whole, whole
from tui.app.text import moment

if TYPE_CHECKING:
    from tui.app.screens.form import Field

MSAT_PER_SHOWN = 1_000  # prices are shown in sat for a million tokens, as askers see them
CATEGORIES = (
    ("harassment", "abuse of a person"),
    ("harassment-threatening", "threats against a person"),
    ("hate", "hatred of a group"),
    ("hate-threatening", "hatred with threats"),
    ("illicit", "help with crimes"),
    ("illicit-violent", "help with violent crimes and weapons"),
    ("self-harm", "harming oneself"),
    ("self-harm-instructions", "how to harm oneself"),
    ("self-harm-intent", "the wish to harm oneself"),
    ("sexual", "sexual content"),
    ("sexual-minors", "sexual content with minors"),
    ("violence", "violence"),
    ("violence-graphic", "violence in gory detail"),
)
MODERATIONS = ("none", "rules", "command", "provider")
MODES = ("fixed", "margin", "demand")
EXPLAINED = (
    ("earned", "Ecash of askers, by the receipts that they and this ghost signed."),
    ("provider", "What the providers ask for the tokens, by list prices and your sat per dollar."),
    ("margin", "Earned less that. Power, machines and your time are not in it."),
    ("credit", "Paid ahead by sessions that are open; what they do not use goes back to them."),
    ("queue", "Questions that are answered now, and those that wait for a place."),
    ("spent", "Counted at the most a question can cost before the provider is asked, then at what "
     "it did cost. A day is one of UTC. At the cap questions are refused, free for the asker."),
    ("refused", "Questions turned away before anything was paid, by reason. Nothing of them is "
     "kept."),
    ("who answers", "Each provider: well, paused (tried again after a while), on trial, or out "
     "(its key was refused: only you can mend that, with a new key or by going on)."),
    ("computed here", "Tokens a second are measured between two looks; sessions kept have their "
     "conversation in the model's memory, so that a next question is read faster."),
    ("payouts", "To the Lightning address of your settings, by itself above the threshold there, "
     "or now by hand. What is kept for refunds stays in the wallet."),
    ("relay", "What passes through for others. A relay is not paid, and learns neither who asks "
     "nor what."),
)  # fmt: skip


def price_fields(now: Json) -> list[Field]:
    from tui.app.screens.form import Field, whole_number

    day = line(now, "rate_on")
    return [
        Field("mode", "How", line(now, "mode", "fixed"), choices=MODES),
        Field(
            "margin_percent",
            "Margin, percent on top of the provider's price",
            str(whole(now, "margin_percent")),
            check=whole_number,
        ),
        Field(
            "rise_percent",
            "Rise at full load, percent more (demand)",
            str(whole(now, "rise_percent")),
            check=whole_number,
        ),
        Field(
            "sat_per_usd",
            f"Your rate, sat for a dollar, of {day}" if day else "Your rate, sat for a dollar",
            str(whole(now, "sat_per_usd")),
            check=whole_number,
        ),
    ]


def policy_fields(now: Json) -> list[Field]:
    from tui.app.screens.form import Field, optional, yes_or_no

    return [
        Field(
            "moderation",
            "Who reads questions first",
            line(now, "moderation", "none"),
            choices=MODERATIONS,
        ),
        Field("rules", "rules: path of the file", check=optional()),
        Field("command", "command: absolute path and arguments", check=optional()),
        Field("url", "provider: address of the service", check=optional()),
        Field("key", "provider: name of its key in the store", check=optional()),
        yes_or_no("images", "Take pictures", now.get("images")),
        yes_or_no("tools", "Take tools", now.get("tools")),
        yes_or_no("tell_user", "Tell the provider a random value for each asker", now.get("user")),
        Field(
            "jurisdiction",
            "Country whose law you answer to, such as DE or US-CA",
            line(now, "jurisdiction"),
            check=optional(),
        ),
    ]


def caps_fields(now: Json) -> list[Field]:
    from tui.app.screens.form import Field, whole_number

    labels = {
        "concurrent": "Answers at once",
        "queue": "Questions that wait",
        "queue_wait_s": "Seconds they wait at most",
        "max_question_kib": "Largest question, KiB",
    }
    usd, tokens = maybe_real(now, "usd_per_day") or 0, maybe_whole(now, "tokens_per_day") or 0
    return [
        Field("usd_per_day", "Dollars a day", f"{usd:g}", check=price),
        Field("tokens_per_day", "Tokens a day, read and written", str(tokens), check=_count),
        *(
            Field(name, label, str(whole(now, name)), check=whole_number)
            for name, label in labels.items()
        ),
    ]


def model_fields(model: Json, mode: str) -> tuple[str, list[Field]]:
    """What is asked of a model's price, by how prices are made; the introduction first."""
    from tui.app.screens.form import Field

    if mode == "fixed":
        tin, tout = shown(whole(model, "in_price")), shown(whole(model, "out_price"))
        return "What askers pay, in sat for a million tokens. It holds for new quotes.", [
            Field("in_price", "Tokens read", tin, check=price),
            Field("out_price", "Tokens written", tout, check=price),
        ]
    intro = "What the provider asks, in dollars for a million tokens. 0 for your own machine."
    return intro, [
        Field("in_usd", "Tokens read, $", _usd(model, "in_usd"), check=price),
        Field("out_usd", "Tokens written, $", _usd(model, "out_usd"), check=price),
    ]


def price(text: str) -> str:
    """What is wrong with an amount that may have decimals."""
    good = text.isascii() and text.replace(".", "", 1).isdigit() and len(text) <= 12
    return "" if good else "a number, such as 0.25."


def _count(text: str) -> str:
    good = text.isascii() and text.isdigit() and len(text) <= 12
    return "" if good else "a whole number."


def shown(msat_per_million: int) -> str:
    """A price in sat for a million tokens."""
    shown = f"{msat_per_million / MSAT_PER_SHOWN:.3f}".rstrip("0").rstrip(".")
    return shown or "0"


def _usd(model: Json, name: str) -> str:
    value = maybe_real(model, name)
    return "" if value is None else f"{value:g}"


def priced(model: Json) -> str:
    tin, tout = shown(whole(model, "in_price")), shown(whole(model, "out_price"))
    return f"{line(model, 'model')}   {tin} sat in, {tout} sat out, for a million tokens"


def day_words(ts: float) -> str:
    return moment(ts, "%d %b %Y %H:%M")


def payout_words(one: PayoutLine) -> str:
    words = f"{one.amount_sat:,} sat, fee {one.fee_sat:,} sat, {one.state}, to {one.address}"
    return f"{words}: {one.error}" if one.error else words
