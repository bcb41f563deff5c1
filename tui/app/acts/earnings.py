"""Acts of the earnings pane: operating a ghost."""

from __future__ import annotations

from tui.app.action import Action

ACTS = (
    Action(
        "ghost_pause",
        "Pause the ghost, or go on",
        "Paused, it offers nothing and takes no question; what is being answered goes on.",
        ("p",),
        "earnings",
        hint="pause",
    ),
    Action(
        "ghost_explain",
        "What the earnings mean",
        "Explains every number of this pane.",
        ("e",),
        "earnings",
        hint="explain",
    ),
    Action(
        "ghost_resume",
        "Try every provider again",
        "Goes on after a pause, and after a provider refused the key.",
        ("g",),
        "earnings",
    ),
    Action(
        "ghost_model",
        "Price of a model",
        "What askers pay for its tokens, or what its provider asks.",
        ("m",),
        "earnings",
        hint="prices",
    ),
    Action(
        "ghost_prices",
        "How prices are made",
        "Fixed, with a margin on the provider's price, or rising with the load.",
        ("s",),
        "earnings",
    ),
    Action(
        "ghost_caps",
        "Caps and limits",
        "The most a day may cost, and how many are answered and wait at once.",
        ("l",),
        "earnings",
        hint="caps",
    ),
    Action(
        "ghost_policy",
        "Policy",
        "Who reads questions first, pictures, tools, whose law; askers see it.",
        ("o",),
        "earnings",
        hint="policy",
    ),
    Action(
        "ghost_period",
        "Hours or days",
        "What a bar of the plot is: one of the last 24 hours or of the last 30 days.",
        ("t",),
        "earnings",
        hint="hours/days",
    ),
    Action(
        "ghost_refuse",
        "What is refused",
        "The categories of questions this ghost does not answer.",
        ("c",),
        "earnings",
    ),
    Action(
        "ghost_key",
        "A provider's key",
        "Puts a key into the encrypted store and uses it at once.",
        ("k",),
        "earnings",
    ),
    Action(
        "ghost_payout",
        "Pay out",
        "Sends earnings to a Lightning address, after a question.",
        ("w",),
        "earnings",
        hint="pay out",
    ),
    Action(
        "ghost_payouts",
        "Payouts so far",
        "When, how much, to whom, and what came of it.",
        ("h",),
        "earnings",
    ),
)
