"""What the numbers at the bottom mean, in plain words that promise nothing untrue.

Pure: makes texts from the model. The help screen shows them, the status bar shows the numbers.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from tui.app.model import AppModel
from tui.app.shapes import ShapeOffer
from tui.app.text import age, msat, number, plural, sat

FEW_RELAYS = 20  # below this the set is shown as a warning

LAST = (
    "What your last answer cost in the end: what was paid minus what came back. Ghosts set the "
    "prices. Costs are counted to a thousandth of a satoshi."
)
WALLET = (
    "Ecash you can spend, over all mints. It is a promise of the mints: if a mint closes its doors "
    "or lies, what it issued is lost. Keep small amounts."
)
SET = (
    "How many relays your paths are drawn from. A small set hides you poorly: somebody who runs a "
    "few of them sees a large part of all paths. In the demo every relay runs on this computer, "
    "so it hides nothing from this computer's owner."
)
GUARD = (
    "How long you have kept the same first relay. Old is good here: with one guard kept for "
    "months, a bad relay rarely becomes yours. The guard knows your address, but not what you "
    "ask or whom."
)
LEAK = (
    "The most that the size and timing of your traffic can tell a watcher of the first link about "
    "one answer. Cells leave on a fixed clock and an answer ends at one of a few lengths; which "
    "length it was can still be seen. It says nothing about the ghost: the ghost reads your "
    "question."
)


@dataclass(frozen=True, slots=True)
class Figure:
    """One number of the status bar."""

    label: str  # for narrow windows; empty when the value says it
    name: str  # for wide windows and the help
    short: str
    long: str
    meaning: str
    tone: str = "foreground"


def figures(model: AppModel) -> list[Figure]:
    """The numbers of the status bar, most important first."""
    status = model.status
    known = model.link.ever_up
    cost = None if status.last_cost_msat is None else msat(status.last_cost_msat)
    guard = None if status.guard_age_s is None else age(status.guard_age_s)
    shape = model.shape()
    tier = shape.tier if shape is not None else status.tier
    tick_ms = shape.tick_ms if shape is not None else status.tick_ms
    leak = shape.leak_bound if shape is not None else status.shape_leak_bound
    size = status.set_size if known else None
    return [
        _priced(_tier(tier, tick_ms, known), shape),
        Figure("last", "last message", cost or "–", cost or "nothing yet", LAST),
        _wallet(model),
        Figure(
            "set",
            "drawn from",
            "–" if size is None else number(size),
            "unknown" if size is None else plural(size, "relay"),
            SET,
            "warning" if size is not None and size < FEW_RELAYS else "foreground",
        ),
        Figure("guard", "guard kept", guard or "–", guard or "none yet", GUARD),
        Figure(
            "leak",
            "shape leak",
            _short_leak(leak),
            f"at most {leak}" if leak[:1].isdigit() else leak or "unknown",
            LEAK,
            "warning" if leak == "unbounded" else "foreground",
        ),
    ]


BAD_SHARE = 0.05  # of relays and of ghosts, in league: the model of docs/threat-model.md


def link_chance(guards: int, conversations: int) -> float:
    """The chance that a guard and a ghost in league met you at least once, at most.

    Each guard used is bad with BAD_SHARE, and so is the ghost of each conversation. A user with
    one guard is linked only if that one is bad, however often they ask. Guards and conversations
    count at least once.
    """
    bad_guard = 1 - (1 - BAD_SHARE) ** max(1, guards)
    return bad_guard * (1 - (1 - BAD_SHARE) ** max(1, conversations))


def link_figure(guards: int, conversations: int) -> Figure:
    """P(link), with its model and its numbers in the words."""
    once = BAD_SHARE * BAD_SHARE
    talks = plural(max(1, conversations), "conversation")
    shown = f"{100 * link_chance(guards, conversations):.1f} %"
    meaning = (
        "The chance that somebody can tell that your questions are yours, because they hold your "
        "guard and your ghost and compare times. The model: 5 of 100 relays and 5 of 100 ghosts "
        "are bad and work together, drawn evenly. Then one conversation is linked with "
        f"{100 * once:.2f} %, and at least one of your {talks} "
        f"through {plural(max(1, guards), 'guard')} with at most {shown}. Most users are never "
        "linked and a few are often: it hangs on the guard, which is why it stays for months. If "
        "more of the network is bad, it is more; somebody who watches the whole network is not in "
        "this number."
    )
    return Figure("link", "P(link)", f"≤{shown}", f"at most {shown}", meaning)


def _priced(figure: Figure, shape: ShapeOffer | None) -> Figure:
    """With what the shape of this conversation costs in bytes."""
    if shape is None:
        return figure
    return replace(figure, meaning=f"{figure.meaning} Cost: {shape.cost}. Ctrl+S changes it.")


def _short_leak(leak: str) -> str:
    """`2 bit per answer` is `≤2 bit` where there is little room."""
    words = leak.split()
    return f"≤{words[0]} {words[1]}" if leak[:1].isdigit() and len(words) > 1 else leak or "–"


def _tier(tier: str, tick_ms: int | None, known: bool) -> Figure:
    if not known or not tier:
        words = "not connected"
        return Figure("", "", words, words, "There is no node to ask.", "warning")
    every = f" One cell leaves every {tick_ms} ms, with data or without." if tick_ms else ""
    if tier.startswith("bulk"):
        meaning = (
            "Unshaped traffic: fast, but whoever watches the first link sees how long the answer "
            "is and when its words come, and can often tell the topic from that."
        )
        return Figure("", "", tier, tier, meaning, "warning")
    if tier == "always-on":
        meaning = (
            "A cell leaves and one comes all the time, whether you ask or not, for as long as the "
            f"node runs.{every} Whoever watches the first link sees no question and no answer. It "
            "sees the node start and stop, and a new circuit for a further conversation."
        )
        return Figure("", "", tier, tier, meaning, "success")
    meaning = (
        "Whoever watches the first link sees equal cells on a steady clock instead of the rhythm "
        f"of the words.{every} It does not hide that you use Peer2Prompt, and it does not hold "
        "against somebody who watches the whole network."
    )
    return Figure("", "", tier, tier, meaning, "success")


def _wallet(model: AppModel) -> Figure:
    balance = model.wallet_sat()
    known = balance is not None and model.link.ever_up
    return Figure(
        "",
        "wallet",
        sat(balance) if known else "no wallet",
        sat(balance) if known else "unknown",
        WALLET,
        "warning" if known and not balance else "foreground",
    )
