"""The books of the cache against a plain model of it, and what they must never do."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from engine.exit.backends.llama_cpp.cells import CellBook, Place

CELLS = 40


def test_a_conversation_goes_on_where_it_differs() -> None:
    book = CellBook(4, CELLS)
    first = book.take(b"a", [1, 2, 3], 10)
    assert first is not None
    assert first.reuse == 0
    first.place.tokens.extend([1, 2, 3, 9, 9])
    book.rest(first.place, 1.0)
    again = book.take(b"a", [1, 2, 3, 4], 10)
    assert again is not None
    assert (again.reuse, again.place.seq, again.dropped) == (3, first.place.seq, ())
    assert again.place.tokens == [1, 2, 3]


def test_the_last_token_of_a_prompt_is_always_computed() -> None:
    book = CellBook(4, CELLS)
    first = book.take(b"a", [1, 2, 3], 10)
    assert first is not None
    first.place.tokens.extend([1, 2, 3])
    book.rest(first.place, 1.0)
    again = book.take(b"a", [1, 2, 3], 10)
    assert again is not None
    assert again.reuse == 2


def test_equal_beginnings_are_not_shared() -> None:
    book = CellBook(4, CELLS)
    first = book.take(b"a", [1, 2, 3], 10)
    assert first is not None
    first.place.tokens.extend([1, 2, 3])
    book.rest(first.place, 1.0)
    other = book.take(b"b", [1, 2, 3, 4], 10)
    assert other is not None
    assert other.reuse == 0
    assert other.place.seq != first.place.seq


def test_who_rested_longest_makes_room() -> None:
    book = CellBook(8, CELLS)
    seqs = {}
    for now, owner in enumerate((b"a", b"b", b"c")):
        taken = book.take(owner, [1] * 10, 10)
        assert taken is not None
        taken.place.tokens.extend([1] * 10)
        seqs[owner] = taken.place.seq
        book.rest(taken.place, float(now))
    taken = book.take(b"a", [1] * 10, 10)  # `a` is young again
    assert taken is not None
    taken.place.tokens.append(1)
    book.rest(taken.place, 3.0)
    large = book.take(b"d", [2] * 10, 25)
    assert large is not None
    assert large.dropped == (seqs[b"b"], seqs[b"c"])
    assert book.take(b"e", [1], 16) is None  # running answers are never dropped


class Books(RuleBasedStateMachine):
    """Any order of taking, growing, resting and freeing keeps the books right."""

    def __init__(self) -> None:
        super().__init__()
        self.book = CellBook(5, CELLS)
        self.running: list[Place] = []
        self.cache: dict[int, int] = {}
        self.now = 0.0

    @rule(owner=st.sampled_from([b"a", b"b", b"c", b"d", b"e", b"f"]), count=st.integers(1, 12))
    def take(self, owner: bytes, count: int) -> None:
        if self.book.is_running(owner):
            return
        reserve = count + 4
        taken = self.book.take(owner, [7] * count, reserve)
        free = CELLS - sum(place.reserved for place in self.running)
        if taken is None:
            assert reserve > free or len(self.running) == 5
            return
        for seq in taken.dropped:
            assert seq not in {place.seq for place in self.running}
            self.cache.pop(seq, None)
        assert len(taken.place.tokens) == taken.reuse < count
        assert self.cache.get(taken.place.seq, 0) >= taken.reuse
        taken.place.tokens.extend([7] * (count - taken.reuse))
        self.cache[taken.place.seq] = count
        self.running.append(taken.place)

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def grow(self, data: st.DataObject) -> None:
        place = data.draw(st.sampled_from(self.running))
        if len(place.tokens) < place.reserved:
            place.tokens.append(7)
            self.cache[place.seq] += 1

    @precondition(lambda self: self.running)
    @rule(data=st.data(), keep=st.booleans())
    def stop(self, data: st.DataObject, keep: bool) -> None:
        place = data.draw(st.sampled_from(self.running))
        self.running.remove(place)
        if keep:
            self.now += 1
            self.book.rest(place, self.now)
        else:
            self.cache.pop(self.book.free(place))

    @rule(owner=st.sampled_from([b"a", b"b", b"c"]))
    def forget(self, owner: bytes) -> None:
        seq = self.book.forget(owner)
        if seq is not None:
            del self.cache[seq]

    @rule(age=st.integers(0, 5))
    def forget_older(self, age: int) -> None:
        before = self.book.resting
        gone = self.book.forget_older(self.now - age)
        assert len(gone) == before - self.book.resting
        for seq in gone:
            del self.cache[seq]
        if age == 0:
            assert self.book.resting == 0

    @invariant()
    def the_cache_is_never_overfull(self) -> None:
        assert self.book.used <= CELLS
        assert sum(self.cache.values()) <= CELLS
        assert len({place.seq for place in self.running}) == len(self.running)


TestBooks = Books.TestCase
TestBooks.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
