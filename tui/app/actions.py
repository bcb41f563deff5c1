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
        "stop",
        "Stop the answer",
        "Stops the answer under way; what was not used comes back. "
        "With nothing under way it moves to the conversation.",
        ("escape",),
        "chat",
    ),
    Action(
        "retry",
        "Ask again",
        "Another answer to the question, beside the ones it has; after an error the question "
        "again.",
        ("ctrl+r", "r"),
        "chat",
    ),
    Action(
        "edit_question",
        "Edit a question",
        "Brings the selected question back into the box; it is asked on a branch of its own.",
        ("alt+e", "e"),
        "chat",
    ),
    Action(
        "branch",
        "Go on from an answer",
        "Your next question follows the selected answer. What came after it is kept.",
        ("alt+b", "b"),
        "chat",
    ),
    Action(
        "branch_new",
        "Go on in a new conversation",
        "Copies everything up to the selected message into a conversation of its own.",
        ("alt+n", "B"),
        "chat",
    ),
    Action(
        "version_before",
        "Version before",
        "The version of the selected message before this one (← in the conversation).",
        ("alt+comma",),
        "chat",
    ),
    Action(
        "version_after",
        "Version after",
        "The version of the selected message after this one (→ in the conversation).",
        ("alt+full_stop",),
        "chat",
    ),
    Action(
        "copy_message",
        "Copy a message",
        "Copies the selected message as it was written.",
        ("c",),
        "chat",
    ),
    Action(
        "copy_code",
        "Copy a code block",
        "Copies a block of code out of the selected answer.",
        ("alt+c", "k"),
        "chat",
    ),
    Action(
        "unfold",
        "Unfold reasoning and tool calls",
        "Shows what the selected answer has beside its text; folds it again.",
        ("alt+f", "f"),
        "chat",
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
        "newline",
        "New line",
        "A line break inside the question.",
        ("ctrl+j", "alt+enter"),
        "chat",
        hint="new line",
        bound=False,
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
        "attach",
        "Attach a file",
        "A text or a picture for the next question. Pasting a path does the same.",
        ("alt+a",),
        "chat",
    ),
    Action(
        "detach",
        "Take an attached file away",
        "A file that waits for the next question stays behind.",
        ("alt+d",),
        "chat",
    ),
    Action(
        "temporary",
        "New temporary conversation",
        "Nothing of it is written to the disk; it is gone when the node stops.",
        ("alt+t",),
        "chat",
    ),
    Action(
        "chat_settings",
        "Settings of this conversation",
        "System words, options for the model, temporary, when to change the ghost, what to do when "
        "the context is full.",
        ("alt+s",),
        "chat",
    ),
    Action(
        "other_ghost",
        "Go on with another ghost",
        "Leaves the ghost of this conversation; the next question shows it to another.",
        ("alt+g",),
        "chat",
    ),
    Action(
        "export",
        "Export this conversation",
        "To a Markdown or JSON file that only you may read; never over an existing one.",
        ("alt+x",),
        "chat",
    ),
    Action("export_all", "Export all conversations", "To one JSON or Markdown file.", (), "chat"),
    Action(
        "import",
        "Import conversations",
        "From an exported JSON file, or a list of OpenAI messages.",
        (),
        "chat",
    ),
    Action(
        "snippet", "Insert a snippet", "Puts a kept text where the cursor is.", ("alt+i",), "chat"
    ),
    Action(
        "snippet_save",
        "Keep as a snippet",
        "Keeps what stands in the box under a name, in the encrypted store.",
        ("alt+k",),
        "chat",
    ),
    Action("snippet_drop", "Delete a snippet", "Deletes a kept text.", (), "chat"),
    Action(
        "search",
        "Search all conversations",
        "Finds messages by their words as you type; Enter opens the message.",
        ("ctrl+f",),
        "chat",
    ),
    Action(
        "pin",
        "Pin or unpin a conversation",
        "Pinned conversations stand first in the list, with a star.",
        ("p",),
        "chat",
    ),
    Action(
        "archive",
        "Put a conversation away",
        "It leaves the list and is still found by searching; the same brings it back.",
        ("a",),
        "chat",
    ),
    Action(
        "archived",
        "Show what was put away",
        "The list shows those that were put away too, dimmed; once more hides them.",
        ("h",),
        "chat",
    ),
    Action(
        "rename", "Rename a conversation", "Gives the conversation another title.", ("t",), "chat"
    ),
    Action(
        "delete",
        "Delete a conversation",
        "Deletes it from the encrypted store; asks first.",
        ("delete",),
        "chat",
    ),
    Action(
        "consent",
        "Ask another ghost",
        "When a ghost failed: says what another one would be shown, and asks whether it may.",
        ("alt+o",),
        "chat",
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
    Action(
        "fund",
        "Fund the wallet",
        "Makes a Lightning invoice; paying it gives ecash. Shows when it is paid.",
        ("f",),
        "mints",
        hint="fund",
    ),
    Action(
        "fund_spread",
        "Fund privately",
        "Invoices as the privacy policy says: usual amounts, several mints.",
        ("F",),
        "mints",
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
        "send_locked",
        "Send locked ecash",
        "A token that only the owner of a key can take, for some hours or for ever.",
        ("l",),
        "mints",
    ),
    Action(
        "receive_token",
        "Receive ecash",
        "Takes a token, locked to this wallet or not, and swaps it, so that only you can spend it.",
        ("r",),
        "mints",
        hint="receive",
    ),
    Action(
        "pay",
        "Pay an invoice",
        "Pays a Lightning invoice or address; the fee is shown first. In parts of several mints "
        "when none has enough.",
        ("p",),
        "mints",
        hint="pay",
    ),
    Action(
        "move",
        "Move to another mint",
        "Moves ecash from one mint to another by a Lightning payment between them; the fee is "
        "shown first.",
        ("m",),
        "mints",
        hint="move",
    ),
    Action(
        "rebalance",
        "Even out the mints",
        "Moves ecash so that no mint holds much more than the others; the fees are shown first.",
        ("b",),
        "mints",
    ),
    Action(
        "sent_tokens",
        "Tokens that are out",
        "Which tokens were taken; those that were not can be taken back.",
        ("o",),
        "mints",
        hint="sent",
    ),
    Action(
        "request",
        "Ask to be paid",
        "A payment request as text and QR code, locked to a fresh key.",
        ("i",),
        "mints",
    ),
    Action(
        "pay_request",
        "Pay a request",
        "Pays a payment request with ecash.",
        ("y",),
        "mints",
    ),
    Action(
        "own_key",
        "A key for others",
        "A fresh key to which others can lock ecash for you.",
        ("k",),
        "mints",
    ),
    Action(
        "cosign",
        "Sign a shared token",
        "Adds your signatures to a token that several keys must sign.",
        (),
        "mints",
    ),
    Action(
        "find",
        "Search what moved",
        "Shows only what has some words in it.",
        ("slash",),
        "mints",
        hint="find",
    ),
    Action(
        "find_off",
        "Show all that moved",
        "Ends the search.",
        ("x",),
        "mints",
    ),
    Action(
        "add_mint",
        "Add a mint",
        "Trusts one more mint with money.",
        ("a",),
        "mints",
    ),
    Action(
        "forget_mint",
        "Forget a mint",
        "Takes a mint off the list that holds nothing of yours.",
        (),
        "mints",
    ),
    Action(
        "mint_details",
        "What is known of a mint",
        "Health, latency, failures and warnings of the mint under the cursor (also Enter).",
        ("d",),
        "mints",
    ),
    Action(
        "swap",
        "Swap for fresh coins",
        "Exchanges every coin at a mint, so that copies of the old ones are worth nothing.",
        ("w",),
        "mints",
    ),
    Action(
        "policy",
        "Privacy towards mints",
        "Each choice with its cost: resting, usual amounts, spreading, evening out, coins ahead.",
        ("g",),
        "mints",
    ),
    Action(
        "wake",
        "Spend resting coins now",
        "Gives up the rest that keeps funding and spending apart.",
        (),
        "mints",
    ),
    Action(
        "restore",
        "Restore from the seed",
        "Asks all mints for ecash made from this wallet's seed words, and shows how far it is.",
        (),
        "mints",
    ),
    Action(
        "seed",
        "Show the seed words",
        "Asks first: whoever sees them owns the ecash.",
        (),
        "mints",
    ),
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
    Action(
        "ghost_facts",
        "What is known of a ghost",
        "Everything noted of the ghost under the cursor (also Enter).",
        ("d",),
        "network",
        hint="ghost",
    ),
    Action(
        "ghosts_explain",
        "What the scores mean",
        "Explains what is known of ghosts and how it is used.",
        ("e",),
        "network",
        hint="explain",
    ),
    Action(
        "ghost_trust",
        "Trust a ghost",
        "Never left alone by itself, never counted as new; asks first.",
        ("t",),
        "network",
        hint="trust",
    ),
    Action(
        "ghost_ban",
        "Leave a ghost alone",
        "The ghost under the cursor is asked no more, unless you name it; asks first.",
        ("x",),
        "network",
        hint="leave alone",
    ),
    Action(
        "ghost_forget",
        "Forget what is known of a ghost",
        "Takes back marks and quarantine; the ghost is new again.",
        ("z",),
        "network",
        hint="forget",
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
        "evidence_copy",
        "Copy evidence against ghosts",
        "The signed evidence of your own sessions, to give it to others.",
        (),
        "network",
    ),
    Action(
        "evidence_take",
        "Take evidence of others",
        "Checks a file of signed evidence and keeps what proves something.",
        (),
        "network",
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
    "slash": "/",
    "escape": "Esc",
    "enter": "Enter",
    "pageup": "PgUp",
    "pagedown": "PgDn",
    "alt+comma": "Alt+,",
    "alt+full_stop": "Alt+.",
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
