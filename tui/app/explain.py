"""What the numbers at the bottom mean, in plain words that promise nothing untrue.

Pure: makes texts from the model. The help screen shows them, the status bar shows the numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

from tui.app.model import AppModel
from tui.app.text import age, msat, number, plural, sat


@dataclass(frozen=True, slots=True)
class Figure:
    """One number of the status bar."""

    label: str
    short: str  # for narrow windows
    long: str
    meaning: str
    tone: str = "foreground"


def figures(model: AppModel) -> list[Figure]:
    """The numbers of the status bar, most important first."""
    status = model.status
    known = model.link.ever_up
    return [
        _tier(status.tier, status.tick_ms, known),
        Figure(
            "last",
            msat(status.last_cost_msat) if status.last_cost_msat is not None else "–",
            msat(status.last_cost_msat) if status.last_cost_msat is not None else "nothing yet",
            "What your last answer cost in the end: what was paid minus what came back. Ghosts set "
            "the prices. A thousandth of a satoshi (1 msat) is the smallest amount counted.",
        ),
        _wallet(model),
        Figure(
            "set",
            number(status.set_size) if status.set_size is not None and known else "–",
            plural(status.set_size, "relay") if status.set_size is not None and known else "–",
            "How many relays your paths are drawn from. A small set hides you poorly: somebody who "
            "runs a few of them sees a large part of all paths. In the demo everything runs on "
            "this machine, so it hides nothing from its owner.",
            "warning" if known and (status.set_size or 0) < 20 else "foreground",
        ),
        Figure(
            "guard",
            age(status.guard_age_s) if status.guard_age_s is not None else "–",
            age(status.guard_age_s) if status.guard_age_s is not None else "none yet",
            "How long you have kept the same first relay. Old is good here: keeping one guard for "
            "months means that a bad relay rarely becomes yours. The guard knows your address, "
            "but not what you ask or whom.",
        ),
        Figure(
            "leak",
            status.shape_leak_bound or "–",
            status.shape_leak_bound or "unknown",
            "An upper bound for what the size and timing of your traffic can tell the guard about "
            "an answer. Cells leave on a fixed clock and answers end at one of a few lengths; "
            "which of those lengths it was is what can still leak. It says nothing about the "
            "ghost: the ghost reads your question.",
        ),
    ]


def _tier(tier: str, tick_ms: int | None, known: bool) -> Figure:
    if not known or not tier:
        return Figure("", "not connected", "not connected", "There is no node to ask.", "warning")
    every = f" One cell leaves every {tick_ms} ms, with data or without." if tick_ms else ""
    if tier.startswith("bulk"):
        meaning = (
            "Unshaped traffic: fast, but whoever watches the first link sees how long the answer "
            "is and when its words come, and can often tell the topic from that."
        )
        return Figure("", tier, tier, meaning, "warning")
    meaning = (
        "Text-shaped: whoever watches the first link sees equal cells on a steady clock instead of "
        "the rhythm of the words." + every + " It does not hide that you use Peer2Prompt, and it "
        "does not hold against somebody who watches the whole network."
    )
    return Figure("", tier, tier, meaning, "success")


def _wallet(model: AppModel) -> Figure:
    balance = model.wallet_sat()
    known = balance is not None and model.link.ever_up
    return Figure(
        "wallet",
        sat(balance) if known else "–",
        sat(balance) if known else "unknown",
        "Ecash you can spend, over all mints. It is money of the mints: if a mint closes its doors "
        "or lies, what it issued is lost. Keep small amounts.",
        "warning" if known and not balance else "foreground",
    )
