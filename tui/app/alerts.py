"""What is wrong and what to do about it, in one sentence each, for the line above the panes.

Pure: makes texts from the model. The most hindering comes first; the node's own warnings come last.
"""

from __future__ import annotations

from tui.app.model import AppModel

NO_RELAYS = (
    "This node knows no relay yet, so nothing can be asked. It goes on looking; F6 shows how it "
    "looks and takes an invite."
)
NO_GHOSTS = (
    "No ghost is known yet, so there is nobody to ask. The node goes on looking; F6 shows whom it "
    "knows."
)
NO_FUNDS = "Your wallet is empty, and ghosts want to be paid. F4 shows how ecash comes in."


def lost(model: AppModel) -> str:
    """The link to the node is down; empty when it is not."""
    link = model.link
    if link.state != "lost":
        return ""
    if not link.ever_up:
        return f"There is no node to talk to; trying again ({link.attempts})."
    return f"The link to the node is lost; trying again ({link.attempts}). Your text stays."


def alerts(model: AppModel) -> list[str]:
    """Everything the user should know while the link is up."""
    status, found = model.status, []
    if status.relays_known == 0:
        found.append(NO_RELAYS)
    elif status.ghosts_known == 0:
        found.append(NO_GHOSTS)
    priced = bool(model.offers) and all(o.in_price or o.out_price for o in model.offers)
    if priced and model.wallet_sat() == 0:
        found.append(NO_FUNDS)
    return [*found, *status.warnings]


def headline(model: AppModel, read: frozenset[str]) -> str:
    """The line itself: the first thing that was not read in the help, and how many more."""
    if words := lost(model):
        return f" {words}"
    fresh = [words for words in alerts(model) if words not in read]
    if not fresh:
        return ""
    more = f" {len(fresh) - 1} more." if len(fresh) > 1 else ""
    return f" {fresh[0]}{more} F1 shows all and takes this line away."
