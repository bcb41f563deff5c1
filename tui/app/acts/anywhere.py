"""Acts that work from everywhere: help, panes, looks, leaving."""

from __future__ import annotations

from tui.app.action import Action

ACTS = (
    Action(
        "help",
        "Help and what the numbers mean",
        "Explains the line at the bottom and lists the keys of this pane.",
        ("f1", "question_mark"),
        hint="help",
    ),
    Action("palette", "All commands", "Search every command by name.", ("ctrl+p",), hint="menu"),
    Action("chat", "Go to Chat", "Ask and read answers.", ("f2", "alt+1")),
    Action("circuit", "Go to Circuit", "The paths your questions take.", ("f3", "alt+2")),
    Action("mints", "Go to Mints", "Your ecash, mint by mint.", ("f4", "alt+3")),
    Action("earnings", "Go to Earnings", "What this node earned as a ghost.", ("f5", "alt+4")),
    Action(
        "network", "Go to Network", "Who is known, from whom, and at which prices.", ("f6", "alt+5")
    ),
    Action("settings", "Go to Settings", "This screen's settings and keys.", ("f7", "alt+6")),
    Action(
        "theme", "Next colour theme", "Changes the colours and remembers the choice.", ("ctrl+t",)
    ),
    Action(
        "profile",
        "Next profile",
        "Full, slow link or plain (for screen readers): how much the screen moves.",
        ("alt+p",),
    ),
    Action(
        "guide",
        "Guided start",
        "What this protects, the words on paper, invites, a mint, money, a model: page by page.",
    ),
    Action(
        "checkup",
        "Check this node",
        "Looks at settings, disk, ports, clock, guards and mints, and says what to do.",
    ),
    Action(
        "jump",
        "Jump",
        "Shows a letter on everything that can be reached; the letter goes there.",
        ("alt+j",),
    ),
    Action(
        "lock",
        "Lock the screen",
        "Hides everything until the store's passphrase is typed. The node goes on working.",
        ("alt+l",),
    ),
    Action(
        "wipe",
        "Destroy everything",
        "Asks once, then destroys wallet, conversations and keys and ends the node.",
        ("alt+w",),
    ),
    Action(
        "quit",
        "Leave",
        "Closes the screen. A node that runs on its own keeps running.",
        ("ctrl+q",),
        hint="leave",
    ),
)
