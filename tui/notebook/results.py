"""What the node tells of itself, of models, ghosts and earnings: the protocol's shapes with a face.

Each is the struct of the same content in `engine.control.protocol`, so every field there is a field
here; amounts are named `*_msat` or `*_sat`, times are seconds (`*_s`) or unix seconds (`ts`).
"""

from __future__ import annotations

from engine.control.protocol.asking import Estimate as EstimateShape
from engine.control.protocol.earnings import Earnings as EarningsShape
from engine.control.protocol.frames import Result
from engine.control.protocol.market import Ghost as GhostShape
from engine.control.protocol.node import Status as StatusShape
from engine.control.protocol.overview import Examination as ExaminationShape
from engine.control.protocol.sessions import Model as ModelShape
from engine.control.protocol.sessions import Session as SessionShape
from tui.app.text import age, msat, percent, plural, sat, took
from tui.cli.style import moment
from tui.notebook.drawings import bars
from tui.notebook.view import Facts, GuardedShelf, Shelf, Shown, Table, View, Words


class Status(Shown, StatusShape, frozen=True):
    """How the node is doing."""

    def _view(self) -> View:
        shape = f"{self.shape_class}, a cell every {self.tick_ms} ms" if self.tick_ms else ""
        guard = age(self.guard_age_s) if self.guard_age_s is not None else None
        last = msat(self.last_cost_msat) if self.last_cost_msat is not None else None
        known = f"{plural(self.relays_known, 'relay')}, {plural(self.ghosts_known, 'ghost')} known"
        facts = Facts(
            [
                ("roles", ", ".join(self.roles)),
                ("version", self.version),
                ("up for", age(self.uptime_s)),
                ("home", self.home),
                ("store", self.store),
                ("wallet", sat(self.wallet_sat) if self.wallet_sat is not None else None),
                ("network", known),
                ("circuits", f"{self.circuits_open} open"),
                ("tier", self.tier),
                ("traffic shape", shape or self.shape_class),
                ("shape leaks", self.shape_leak_bound),
                ("guard age", guard),
                ("last message", last),
            ]
        )
        warnings = [Words(text, loud=True) for text in self.warnings]
        return View(f"Node {self.node}", [facts, *warnings])


class Examination(Shown, ExaminationShape, frozen=True):
    """What is wrong with the node or its machine, and what to do about it."""

    def _view(self) -> View:
        rows = [(one.check, one.state, one.found, one.advice or None) for one in self.findings]
        wrong = [Words(one.means, loud=True) for one in self.findings if one.state == "fail"]
        heads = ("check", "state", "found", "advice")
        return View("", [Table(heads, rows, "Nothing was examined."), *wrong])


class Model(Shown, ModelShape, frozen=True):
    """One model at one ghost. Prices are msat per million tokens."""

    @property
    def usable(self) -> bool:
        """Whether it may be asked: its ghost is not left alone and the settings allow it."""
        return not self.quarantined and not self.misfit

    def _view(self) -> View:
        policy = self.policy
        facts = Facts(
            [
                ("ghost", self.ghost),
                ("input", f"{_per_thousand(self.in_price)} per 1,000 tokens"),
                ("output", f"{_per_thousand(self.out_price)} per 1,000 tokens"),
                ("most an answer costs", msat(self.cap_msat)),
                ("context", plural(self.context, "token") if self.context else None),
                ("can also", ", ".join(self.features)),
                ("score", None if self.score is None else f"{self.score:.2f}"),
                ("first word after", None if self.latency_ms is None else took(self.latency_ms)),
                ("jurisdiction", policy.jurisdiction if policy else None),
                ("refuses", ", ".join(policy.refused) if policy else None),
            ]
        )
        state = self.quarantined or self.misfit
        words = [Words(self.why, quiet=True)] if self.why else []
        return View(self.model, [facts, *words, *([Words(state, loud=True)] if state else [])])


class Models(Shelf[Model]):
    """All offers that are known."""

    __slots__ = ()

    def _view(self) -> View:
        rows = [
            (
                one.model,
                one.ghost,
                _per_thousand(one.in_price),
                _per_thousand(one.out_price),
                msat(one.cap_msat),
                None if one.score is None else f"{one.score:.2f}",
                None if one.latency_ms is None else took(one.latency_ms),
                one.quarantined or one.misfit or "usable",
            )
            for one in self
        ]
        heads = ("model", "ghost", "1k in", "1k out", "most", "score", "first word", "state")
        return View("", [Table(heads, rows, "No ghost is known that offers a model.")])


class Estimate(Shown, EstimateShape, frozen=True):
    """What a question would cost: with the shortest, a usual and the longest answer."""

    def _view(self) -> View:
        who = self.ghost or f"one of {plural(self.ghosts, 'ghost')}"
        facts = Facts(
            [
                ("likely", msat(self.likely_msat)),
                ("at least", msat(self.least_msat)),
                ("at most", msat(self.most_msat)),
                ("model", self.model or "any"),
                ("asked", who),
                ("sent", plural(self.tokens_in, "token")),
            ]
        )
        full = "It would be refused: the chat is longer than the model takes."
        return View("", [facts, *([] if self.fits else [Words(full, loud=True)])])


class Ghost(Shown, GhostShape, frozen=True):
    """What this client knows of one ghost. Shares are from 0 to 1."""

    @property
    def state(self) -> str:
        if self.quarantine is not None:
            return f"left alone: {self.quarantine.reason}"
        return "trusted by you" if self.trusted else "new" if self.newcomer else "known"

    def _view(self) -> View:
        facts = Facts(
            [
                ("state", self.state),
                ("score", f"{self.score:.2f}"),
                ("honesty", percent(self.honesty)),
                ("reliability", percent(self.reliability)),
                ("steadiness", percent(self.steadiness)),
                ("models", ", ".join(one.model for one in self.models)),
                ("listed", "yes" if self.listed else "no"),
            ]
        )
        return View(f"Ghost {self.ghost}", [facts, *(Words(one, quiet=True) for one in self.words)])


class Ghosts(Shelf[Ghost]):
    """All ghosts that are known."""

    __slots__ = ()

    def _view(self) -> View:
        rows = [
            (
                one.ghost,
                f"{one.score:.2f}",
                percent(one.honesty),
                percent(one.reliability),
                ", ".join(model.model for model in one.models),
                one.state,
            )
            for one in self
        ]
        heads = ("ghost", "score", "honesty", "reliability", "models", "state")
        return View("", [Table(heads, rows, "No ghost is known.")])


class GhostsFound(Result, frozen=True):
    """The node's answer, read for its ghosts alone."""

    ghosts: list[Ghost]


class Earnings(Shown, EarningsShape, frozen=True):
    """What the ghost of this node earned. Counts only: of questions nothing is kept."""

    def _view(self) -> View:
        if not self.enabled:
            return View("", [Words("This node serves nobody, so it earns nothing.")])
        facts = Facts(
            [
                ("today", msat(self.today_msat)),
                ("this week", msat(self.week_msat)),
                ("in all", msat(self.total_msat)),
                ("margin", msat(self.margin_msat) if self.cost_msat else None),
                ("paid out", sat(self.paid_out_sat) if self.paid_out_sat else None),
                ("answers", f"{self.answers:,}"),
                ("refused", f"{self.refused:,}" if self.refused else None),
                ("tokens", f"{self.tokens_out:,}"),
                ("open sessions", self.sessions_open),
            ]
        )
        rows = [(one.model, one.answers, msat(one.msat)) for one in self.models]
        hours = [one.msat for one in self.hours]
        drawn = [bars(hours, "the last 24 hours")] if any(hours) else []
        return View("Earnings", [facts, *drawn, Table(("model", "answers", "earned"), rows)])


class Chats(GuardedShelf[SessionShape]):
    """The chats of the store, the newest last change first as the node lists them."""

    __slots__ = ()

    def _view(self) -> View:
        rows = [
            (one.session_id[:8], one.title, one.model, one.messages, moment(one.updated))
            for one in self
        ]
        heads = ("chat", "title", "model", "messages", "changed")
        return View("", [Table(heads, rows, "There is no chat yet.")])


def _per_thousand(msat_per_million: int) -> str:
    """A price in sat per thousand tokens, which is about what a short answer costs."""
    return f"{msat_per_million / 1_000_000:.3f}".rstrip("0").rstrip(".") + " sat"
