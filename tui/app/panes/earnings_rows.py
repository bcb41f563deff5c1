"""The lines of the earnings pane's two lists, drawn for a width. No widgets, no state."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rich.text import Text

from tui.app.earnings import EarningsView, ModelSum, PayoutLine
from tui.app.look import Look
from tui.app.text import ellipsis, moment, msat, percent

NARROW = 62  # columns below which a model's provider cost has no room
NAME = 11

REFUSALS = {
    "busy": "the queue was full",
    "cap_reached": "a cap of the day was reached",
    "moderated": "a category that you refuse",
    "refused": "not offered, paused, or a form that is not taken",
    "unjudged": "the moderation hook gave no verdict",
    "provider_auth": "the provider refused the key",
    "provider_rate_limit": "the provider's rate limit",
    "provider_overloaded": "the provider was full",
    "provider_bad_request": "the provider would not take it",
    "provider_moderation": "the provider's own rules",
    "provider_unreachable": "the provider did not answer",
}


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """One line; `draw` makes it for a width."""

    draw: Callable[[int, Look], Text]


def draw(row: Row, width: int, look: Look) -> Text:
    return row.draw(width, look)


def heading(words: str) -> Row:
    return Row(lambda width, look: Text(ellipsis(words, width), look.strong))


def blank() -> Row:
    return Row(lambda _width, look: Text("", look.base))


def fact(name: str, words: str, worry: bool = False) -> Row:
    """A muted name, then words; a worry has a mark and a colour."""

    def made(width: int, look: Look) -> Text:
        text = Text(name.ljust(NAME), look.muted)
        mark = "! " if worry else ""
        text.append(
            ellipsis(mark + words, max(4, width - NAME)), look.warning if worry else look.base
        )
        return text

    return Row(made)


def plain(words: str, worry: bool = False) -> Row:
    """Words alone; a worry has a mark and a colour."""
    mark = "! " if worry else ""
    return Row(
        lambda width, look: Text(
            ellipsis(mark + words, width), look.warning if worry else look.base
        )
    )


def wrapped(words: str, width: int) -> list[Row]:
    """A warning over as many lines as it needs."""
    from tui.app.text import wrap

    lines = wrap(f"! {words}", max(20, width))
    return [Row(lambda _w, look, one=one: Text(one, look.warning)) for one in lines]  # type: ignore[misc]


def answers(view: EarningsView) -> list[Row]:
    """By model, then the last answers."""
    rows = [Row(_model_heads)]
    rows += [_model(one) for one in view.models]
    if not view.models:
        rows.append(plain("Nothing was answered yet."))
    if view.recent:
        rows += [blank(), heading("Latest answers")]
        rows += [_answer(*one) for one in view.recent]
    return rows


def operation(view: EarningsView, width: int) -> list[Row]:
    """The ghost's state, refusals, payouts, and the relay beside it."""
    ghost, rows = view.ghost, []
    for words in ghost.warnings:
        rows += wrapped(words, width)
    rows += [fact(*one) for one in ghost.lines] if ghost.known else []
    if ghost.upstreams:
        rows += [blank(), heading("Who answers")]
        rows += [plain(one.words, not one.well) for one in ghost.upstreams]
    if ghost.engines:
        rows += [blank(), heading("Computed here")]
        rows += [plain(one.words) for one in ghost.engines]
    if view.refusals:
        rows += [blank(), heading("Refused, free for the asker")]
        rows += [plain(f"{count:>6,}  {why(code)}") for code, count in view.refusals]
    rows += [blank(), heading("Payouts")]
    rows += [fact("in all", f"{view.paid_out_sat:,} sat paid out")] if view.paid_out_sat else []
    rows += [payout(one) for one in view.payouts[:5]]
    if not view.payouts:
        rows.append(plain("Nothing was paid out yet."))
    return rows + relay(view)


def relay(view: EarningsView) -> list[Row]:
    """The relay half; nothing on a node without one."""
    if view.relay is None:
        return []
    rows = [fact(name, words) for name, words in view.relay.lines]
    return [blank(), heading("As a relay, for others"), *rows]


def payout(one: PayoutLine) -> Row:
    when = moment(one.ts, "%d %b %H:%M")
    words = f"{when}  {one.amount_sat:,} sat to {one.address}, {one.state}"
    words += f", fee {one.fee_sat:,} sat" if one.fee_sat else ""
    return plain(f"{words}: {one.error}" if one.error else words, one.state == "failed")


def why(code: str) -> str:
    """A refusal's code in words."""
    return REFUSALS.get(code, code.replace("_", " "))


def _model_heads(width: int, look: Look) -> Text:
    columns = ["answers".rjust(8), "earned".rjust(13)]
    columns += ["provider".rjust(13)] if width >= NARROW else []
    columns.append("margin".rjust(13))
    words = "".join(columns)
    return Text("model".ljust(max(8, width - len(words))) + words, look.muted)


def _model(one: ModelSum) -> Row:
    def made(width: int, look: Look) -> Text:
        left = one.msat - one.cost_msat
        columns = f"{one.answers:>8,}{msat(one.msat):>13}"
        columns += f"{msat(one.cost_msat):>13}" if width >= NARROW else ""
        share = f" {percent(left / one.msat)}" if one.msat and not one.cost_msat else ""
        tail = f"{msat(left) if not share else 'all':>13}"
        room = max(8, width - len(columns) - len(tail))
        text = Text(ellipsis(one.model, room - 1).ljust(room), look.base)
        text.append(columns, look.base)
        text.append(tail, look.warning if left < 0 else look.success)
        return text

    return Row(made)


def _answer(ts: float, model: str, tokens_in: int, tokens_out: int, cost: int) -> Row:
    def made(width: int, look: Look) -> Text:
        text = Text(moment(ts, "%H:%M:%S  "), look.muted)
        tail = f"{tokens_in:>7,} in {tokens_out:>6,} out {msat(cost):>12}"
        room = max(6, width - 10 - len(tail))
        text.append(ellipsis(model, room - 1).ljust(room), look.base)
        text.append(tail, look.base)
        return text

    return Row(made)
