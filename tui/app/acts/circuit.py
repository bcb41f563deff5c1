"""Acts of the circuit pane."""

from __future__ import annotations

from tui.app.action import Action

ACTS = (
    Action(
        "rotate",
        "Fresh circuits",
        "Closes circuits that are not in use and builds new ones "
        "through other middle relays. The guard stays: changing it often would help an "
        "attacker.",
        ("r",),
        "circuit",
        hint="fresh circuits",
    ),
    Action(
        "api_tags",
        "Programs that are kept apart",
        "Which programs ask through the local API, and the circuits and ghosts that each has for "
        "itself.",
        ("t",),
        "circuit",
        hint="programs",
    ),
    Action(
        "events",
        "Other events",
        "What happened is shown without visits to mailboxes, which come again and again; then all "
        "of it, then circuits of one purpose alone.",
        ("v",),
        "circuit",
        hint="events",
    ),
    Action(
        "explain",
        "What these numbers mean",
        "Explains every number of this pane, the hops' times included, with its value now.",
        ("e",),
        "circuit",
        hint="explain",
    ),
)
