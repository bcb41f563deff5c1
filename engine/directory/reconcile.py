"""One comparison of two sets of adverts: who lacks what, and its exchange. Sans-IO.

`Reconciler` is the asking side: `request` is the next message to send (None when done), `answer`
takes the reply. `Librarian` is the serving side. A pull completes our set; with `push` the other
side is offered what it lacks as well (relays do, clients never: what they push could tell them
apart).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from engine.directory.adverts import AdvertSet, Outcome
from engine.errors import ProtocolError
from engine.wire import directory as wire

MAX_REQUESTS = 512  # of one stream: a whole network of 65,536 adverts, four times over
MAX_OFFERED = 8_192  # adverts one stream may offer; each costs a signature check


@dataclass
class Report:
    """What one comparison found. Counts of adverts."""

    theirs: int = 0  # that the other side holds
    kept: int = 0  # new to us
    refused: int = 0  # that did not verify, or for which there was no room
    missing_there: int = 0  # that we hold and the other side does not
    offered: int = 0  # that we pushed
    held: set[bytes] = field(default_factory=set, repr=False)  # ids the other side has, of ours

    @property
    def agree(self) -> bool:
        """True when both sets were the same."""
        return not (self.kept or self.refused or self.missing_there)


class Reconciler:
    """The asking side of one comparison."""

    def __init__(self, adverts: AdvertSet, now: int, *, push: bool) -> None:
        self.report = Report()
        self._adverts = adverts
        self._now = now
        self._push = push
        self._asked: wire.Request | None = wire.Sum()
        self._wanted: list[bytes] = []
        self._offers: list[bytes] = []

    @property
    def request(self) -> wire.Request | None:
        """What to send now; None when the comparison is over."""
        return self._asked

    def answer(self, message: wire.Message) -> None:
        """Take the reply to `request`. Raises ProtocolError when it is no reply to it."""
        match self._asked, message:
            case wire.Sum(), wire.Summary():
                self._compare(message)
            case wire.List(buckets=buckets), wire.Ids():
                self._plan(buckets, wire.split_ids(message.ids))
            case wire.Get(ids=ids), wire.Adverts():
                self._take(ids, message)
            case wire.Put(), wire.Kept():
                self._next()
            case _:
                raise ProtocolError("a directory answered something else than was asked")

    def _compare(self, summary: wire.Summary) -> None:
        self.report.theirs = summary.count
        buckets = self._adverts.differing(summary.hashes)
        self.report.held = set(self._adverts.ids(set(range(wire.BUCKETS)) - set(buckets)))
        self._asked = wire.List(buckets) if buckets else None

    def _plan(self, buckets: bytes, theirs: list[bytes]) -> None:
        there = set(theirs)
        ours = set(self._adverts.ids(buckets))
        self._wanted = [name for name in theirs if name not in ours]
        lacking = [name for name in ours if name not in there]
        self.report.missing_there = len(lacking)
        self.report.held |= there
        if self._push:
            self._offers = [raw for name in lacking if (raw := self._adverts.raw(name))]
        self._next()

    def _take(self, ids: bytes, message: wire.Adverts) -> None:
        asked = set(wire.split_ids(ids))
        for raw in message.adverts:
            if wire.advert_id(raw) not in asked:
                raise ProtocolError("a directory sent an advert that was not asked for")
            outcome = self._adverts.add(raw, self._now)
            self.report.kept += outcome is Outcome.KEPT
            self.report.refused += outcome is Outcome.REFUSED
        self._next()

    def _next(self) -> None:
        if self._wanted:
            part, self._wanted = self._wanted[: wire.MAX_ADVERTS], self._wanted[wire.MAX_ADVERTS :]
            self._asked = wire.Get(b"".join(part))
        elif self._offers:
            offer, self._offers = self._offers[: wire.MAX_ADVERTS], self._offers[wire.MAX_ADVERTS :]
            self.report.offered += len(offer)
            self._asked = wire.Put(tuple(offer))
        else:
            self._asked = None


class Librarian:
    """The serving side of one stream: answers each request from the set."""

    def __init__(self, adverts: AdvertSet, *, sheet: bytes = b"") -> None:
        self._adverts = adverts
        self._sheet = sheet
        self._requests = 0
        self._offered = 0

    def answer(self, request: wire.Message, now: int) -> wire.Answer:
        """The reply. Raises ProtocolError when the asking side overdoes it."""
        self._requests += 1
        if self._requests > MAX_REQUESTS:
            raise ProtocolError("a directory stream asked too much")
        match request:
            case wire.Sum():
                return wire.Summary(len(self._adverts), self._adverts.hashes())
            case wire.List(buckets=buckets):
                return wire.Ids(b"".join(self._adverts.ids(buckets)[: wire.MAX_IDS]))
            case wire.Get(ids=ids):
                found = (self._adverts.raw(name) for name in wire.split_ids(ids))
                return wire.Adverts(tuple(raw for raw in found if raw is not None))
            case wire.Put(adverts=offered):
                return self._take(offered, now)
            case wire.AskSheet():
                return wire.Offer(self._sheet)
            case _:
                raise ProtocolError("a directory stream sent an answer as a request")

    def _take(self, offered: tuple[bytes, ...], now: int) -> wire.Kept:
        self._offered += len(offered)
        if self._offered > MAX_OFFERED:
            raise ProtocolError("a directory stream offered too much")
        outcomes = [self._adverts.add(raw, now) for raw in offered]
        return wire.Kept(outcomes.count(Outcome.KEPT), outcomes.count(Outcome.REFUSED))
