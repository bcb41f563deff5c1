"""Every act of the screen, once: its name, words, keys and where it belongs.

Bindings, the command palette, the hint line and the help screen are all made from this table (with
the user's keys, see `keymap`), so they cannot disagree. The deeds themselves are `do_<name>`
methods of the app or of a pane.
"""

from __future__ import annotations

from dataclasses import dataclass

ANYWHERE = "anywhere"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Action:
    name: str
    title: str
    help: str
    keys: tuple[str, ...] = ()
    group: str = ANYWHERE
    hint: str = ""  # short word for the hint line; empty: not shown there
    bound: bool = True  # False: the key is handled by a widget itself, the table only explains it

    @property
    def key_words(self) -> str:
        return " or ".join(pretty_key(key) for key in self.keys)


PANES = ("chat", "circuit", "mints", "earnings", "network", "settings")
PANE_TITLES = {
    "chat": "Chat",
    "circuit": "Circuit",
    "mints": "Mints",
    "earnings": "Earnings",
    "network": "Network",
    "settings": "Settings",
}

ACTIONS = (
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
    Action(
        "send_question",
        "Send the question",
        "Sends what is in the box.",
        ("enter",),
        "chat",
        hint="send",
        bound=False,
    ),
    Action(
        "newline",
        "New line",
        "A line break inside the question.",
        ("ctrl+j", "alt+enter"),
        "chat",
        hint="new line",
        bound=False,
    ),
    Action(
        "stop",
        "Stop the answer",
        "Stops the answer under way; what was not used comes back. "
        "With nothing under way it moves to the conversation.",
        ("escape",),
        "chat",
    ),
    Action(
        "retry", "Ask again", "Asks the last question again after an error.", ("ctrl+r",), "chat"
    ),
    Action(
        "editor",
        "Write in your editor",
        "Opens the question in $VISUAL or $EDITOR.",
        ("ctrl+g",),
        "chat",
    ),
    Action(
        "new_chat",
        "New conversation",
        "A new session: fresh middle relays and a fresh ghost.",
        ("ctrl+n",),
        "chat",
        hint="new chat",
    ),
    Action(
        "model",
        "Choose the model",
        "Lists the models ghosts offer, with their prices.",
        ("ctrl+o",),
        "chat",
        hint="model",
    ),
    Action(
        "shape",
        "Choose the traffic shape",
        "What your line looks like while this conversation is asked and answered, with its cost "
        "in bytes and what it still tells.",
        ("ctrl+s",),
        "chat",
        hint="shape",
    ),
    Action(
        "sessions",
        "Conversations",
        "Goes to the list of conversations; hides it again.",
        ("ctrl+b",),
        "chat",
        hint="list",
    ),
    Action(
        "rename", "Rename this conversation", "Gives the conversation another title.", (), "chat"
    ),
    Action(
        "delete", "Delete this conversation", "Deletes it from the encrypted store.", (), "chat"
    ),
    Action(
        "copy_answer",
        "Copy the last answer",
        "Copies it as Markdown, and says how it was copied.",
        ("ctrl+y",),
        "chat",
    ),
    Action(
        "page_up",
        "Scroll the conversation up",
        "Also the mouse wheel.",
        ("pageup",),
        "chat",
        bound=False,
    ),
    Action(
        "page_down",
        "Scroll the conversation down",
        "Also the mouse wheel.",
        ("pagedown",),
        "chat",
        bound=False,
    ),
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
        "explain",
        "What these numbers mean",
        "Explains every number of this pane, with its value now.",
        ("e",),
        "circuit",
        hint="explain",
    ),
    Action(
        "fund",
        "Fund the wallet",
        "Makes a Lightning invoice; paying it gives ecash.",
        ("f",),
        "mints",
        hint="fund",
    ),
    Action(
        "send_token",
        "Send ecash",
        "Makes a token you can hand to somebody.",
        ("s",),
        "mints",
        hint="send",
    ),
    Action(
        "receive_token",
        "Receive ecash",
        "Takes a token and swaps it, so that only you can spend it.",
        ("r",),
        "mints",
        hint="receive",
    ),
    Action(
        "pay",
        "Pay an invoice",
        "Pays a Lightning invoice or address from the wallet.",
        ("p",),
        "mints",
        hint="pay",
    ),
    Action(
        "move",
        "Move to another mint",
        "Moves ecash from one mint to another by a Lightning payment between them.",
        ("m",),
        "mints",
        hint="move",
    ),
    Action(
        "add_mint",
        "Add a mint",
        "Trusts one more mint with money.",
        ("a",),
        "mints",
        hint="add mint",
    ),
    Action(
        "restore",
        "Restore from the seed",
        "Asks a mint for ecash made from this wallet's seed words.",
        (),
        "mints",
    ),
    Action(
        "invite",
        "Invite somebody",
        "An invite as text and as a QR code: with it another node finds this network.",
        ("i",),
        "network",
        hint="invite",
    ),
    Action(
        "join",
        "Join by an invite",
        "Takes an invite and asks the nodes it names.",
        ("j",),
        "network",
        hint="join",
    ),
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

_KEY_WORDS = {
    "question_mark": "?",
    "escape": "Esc",
    "enter": "Enter",
    "pageup": "PgUp",
    "pagedown": "PgDn",
}


def pretty_key(key: str) -> str:
    """`ctrl+n` as people write it: Ctrl+N."""
    if key in _KEY_WORDS:
        return _KEY_WORDS[key]
    return (
        "+".join(
            part.upper() if len(part) <= 2 and "+" not in key else part.capitalize()
            for part in key.split("+")
        )
        if len(key) > 1
        else key
    )
