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
    Action(
        "find_setting",
        "Find a setting",
        "Finds a setting or a key by a part of its name or of what it does.",
        ("slash",),
        "settings",
        hint="find",
    ),
)
