"""Acts of the settings pane."""

from __future__ import annotations

from tui.app.action import Action

ACTS = (
    Action(
        "change",
        "Change this",
        "Changes the setting or the keys under the cursor.",
        ("enter",),
        "settings",
        hint="change",
        bound=False,
    ),
    Action(
        "reset",
        "Back to the default",
        "Gives the setting or the keys under the cursor their default again.",
        ("d",),
        "settings",
        hint="default",
    ),
)
