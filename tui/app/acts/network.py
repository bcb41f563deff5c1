"""Acts of the network pane: ghosts, invites, evidence."""

from __future__ import annotations

from tui.app.action import Action

ACTS = (
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
)
