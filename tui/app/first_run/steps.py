"""The steps of the guided start: their order and their words. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Step:
    """One page. `act` names its button; empty: there is nothing to do but to read."""

    name: str
    title: str
    words: str
    act: str = ""


STEPS = (
    Step(
        "welcome",
        "What this protects",
        "Your question goes through three relays to a ghost, a stranger's computer that asks the "
        "model for you. The ghost reads it, but does not learn who asked; the relays know parts of "
        "the way and cannot read it; you pay in ecash that names nobody.\n\n"
        "What it does not do: the ghost and the model's provider read what you write, so leave out "
        "what names you. Somebody who watches the whole network at once can link both ends. A "
        "way of writing can give you away.\n\n"
        "This takes two minutes. Esc leaves; it goes on here the next time.",
    ),
    Step(
        "words",
        "Twelve words on paper",
        "Your ecash lies on this machine, encrypted with the passphrase you chose; nobody can give "
        "you either back. Twelve words bring the ecash back on another machine. Write them on "
        "paper now; you are asked for three of them afterwards.\n\n"
        "Without them a broken disk takes the money with it.",
        "Show the words",
    ),
    Step(
        "network",
        "Somebody to begin with",
        "There is no server. A node finds the others through one it knows: paste an invite from "
        "somebody who is in. With several invites nobody can show you a network of their own.",
        "Join by an invite",
    ),
    Step(
        "mint",
        "A mint to hold the money",
        "Ecash is issued by a mint, which holds the money behind it and could run away with it. "
        "Choose one you would lend a little money to, and keep little there. It sees amounts, "
        "never you: the wallet talks to it through relays.",
        "Add a mint",
    ),
    Step(
        "fund",
        "Money for questions",
        "The mint makes a Lightning invoice; pay it from any wallet. A short answer costs about "
        "one sat, a long one of a big model some hundred. What an answer does not use comes back.",
        "Fund by an invoice",
    ),
    Step(
        "model",
        "A model to ask",
        "Ghosts offer models at their own prices. You can change the model in every conversation.",
        "Choose the model",
    ),
    Step(
        "finish",
        "Ready",
        "Type a question and press Enter. F1 explains what you are looking at, Ctrl+P finds every "
        "command, F3 shows the path your question takes. The line at the bottom tells at any time "
        "what protects you and what the last answer cost.",
    ),
)
NAMES = tuple(step.name for step in STEPS)


def place_of(name: str) -> int:
    """Where to go on; at the beginning for a name this version does not know."""
    return NAMES.index(name) if name in NAMES else 0
