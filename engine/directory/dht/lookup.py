"""One look-up: disjoint paths of questions towards a position, each to members nobody asked yet.

Sans-IO and without timers: the core asks what `next_questions` says and tells what came of each. A
contact counts only when it is a member, no member is asked twice, and the number of questions is
bounded, so that no answer can lengthen a look-up or point it at a stranger.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from engine.directory.dht.members import Member
from engine.directory.dht.settings import DhtSettings
from engine.wire.record import Record


@dataclass(slots=True)
class _Candidate:
    member: Member
    depth: int  # referrals that led here, the first question counted as one
    asked: bool = False
    late: bool = False  # asked, and silent for longer than is usual
    gone: bool = False  # failed, or another path asked it
    answered: bool = False


class _Path:
    """One of the disjoint ways: its candidates, and how many holders of records it has met."""

    def __init__(self, target: int, width: int) -> None:
        self.holders = 0
        self._target = target
        self._width = width
        self._by_id: dict[bytes, _Candidate] = {}
        self._order: list[tuple[int, bytes]] = []

    def learn(self, members: Iterable[Member], depth: int) -> None:
        for member in members:
            if member.node_id not in self._by_id:
                self._by_id[member.node_id] = _Candidate(member, depth)
                heapq.heappush(self._order, (member.position ^ self._target, member.node_id))

    def get(self, node_id: bytes) -> _Candidate:
        return self._by_id[node_id]

    def window(self) -> Iterator[_Candidate]:
        """The closest candidates that may still be there."""
        live = ((d, n) for d, n in self._order if not self._by_id[n].gone)
        for _, node_id in heapq.nsmallest(self._width, live):
            yield self._by_id[node_id]

    def under_way(self) -> int:
        return sum(c.asked and not (c.late or c.gone or c.answered) for c in self._by_id.values())


class Lookup:
    """The state of one look-up. `closest`, `records` and `hops` are its results once `done`."""

    def __init__(
        self,
        target: int,
        own: bytes,
        seeds: Sequence[Sequence[Member]],
        settings: DhtSettings,
        *,
        key: bytes | None,
    ) -> None:
        self.target = target
        self.key = key
        self.done = False
        self.on_done: Callable[[], None] | None = None
        self.requests = 0
        self.hops = 0
        self._own = own
        self._settings = settings
        width = -(-settings.k // len(seeds))
        self._paths = [_Path(target, width) for _ in seeds]
        for path, members in zip(self._paths, seeds, strict=True):
            path.learn((m for m in members if m.node_id != own), 1)
        self._claimed: dict[bytes, _Path] = {}
        self._answered: dict[bytes, _Candidate] = {}
        self._records: dict[bytes, Record] = {}

    @property
    def closest(self) -> list[Member]:
        """The members closest to the target among those that answered."""
        found = (candidate.member for candidate in self._answered.values())
        return heapq.nsmallest(self._settings.k, found, key=lambda m: m.position ^ self.target)

    @property
    def records(self) -> list[bytes]:
        """Valid records of the key, the latest of each epoch key."""
        return [record.raw for record in self._records.values()]

    # -- asking --------------------------------------------------------------------------------

    def next_questions(self) -> list[Member]:
        """Whom to ask now. Ends the look-up when there is nobody and nothing is awaited."""
        if self.done:
            return []
        questions = []
        waiting = False
        for path in self._paths:
            asked = self._ask_on(path)
            questions += asked
            waiting = waiting or bool(asked) or path.under_way() > 0
        if not waiting:
            self._finish()
        return questions

    def _ask_on(self, path: _Path) -> list[Member]:
        questions: list[Member] = []
        while (
            not self._satisfied(path)
            and self.requests < self._settings.budget
            and path.under_way() < self._settings.per_path
            and (candidate := self._choose(path)) is not None
        ):
            candidate.asked = True
            self._claimed[candidate.member.node_id] = path
            self.requests += 1
            questions.append(candidate.member)
        return questions

    def _choose(self, path: _Path) -> _Candidate | None:
        while True:
            taken = False
            for candidate in path.window():
                if candidate.asked:
                    continue
                if candidate.member.node_id not in self._claimed:
                    return candidate
                candidate.gone = taken = True
            if not taken:
                return None

    def _satisfied(self, path: _Path) -> bool:
        return self.key is not None and path.holders >= self._settings.holders_wanted

    def _finish(self) -> None:
        self.done = True
        if not self.hops:
            found = self.closest
            self.hops = self._answered[found[0].node_id].depth if found else 0
        if self.on_done is not None:
            self.on_done()

    # -- what came of it -----------------------------------------------------------------------

    def answered(self, node_id: bytes, contacts: Iterable[Member]) -> None:
        """A member answered and named these members."""
        path = self._claimed[node_id]
        candidate = path.get(node_id)
        candidate.answered, candidate.late = True, False
        self._answered[node_id] = candidate
        path.learn((m for m in contacts if m.node_id != self._own), candidate.depth + 1)

    def holds(self, node_id: bytes, records: Iterable[Record]) -> None:
        """A member that answered holds these valid records."""
        path = self._claimed[node_id]
        path.holders += 1
        self.add_records(records)
        self.hops = self.hops or path.get(node_id).depth

    def add_records(self, records: Iterable[Record]) -> None:
        """Valid records from wherever."""
        for record in records:
            known = self._records.get(record.epoch_key)
            if known is None or known.sequence < record.sequence:
                self._records[record.epoch_key] = record

    def knows(self, record: Record) -> bool:
        """True for a record that was checked already."""
        known = self._records.get(record.epoch_key)
        return known is not None and known.raw == record.raw

    def late(self, node_id: bytes) -> None:
        """A member has been silent for a while: its path goes on without it."""
        self._claimed[node_id].get(node_id).late = True

    def failed(self, node_id: bytes) -> None:
        """A member will not answer, or answered what it must not."""
        self._claimed[node_id].get(node_id).gone = True
