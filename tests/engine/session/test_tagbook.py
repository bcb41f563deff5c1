"""The book of isolation tags: whose ghosts are kept from whom, and when a tag may go."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engine.session.tagbook import MAX_TAGS, TagBook


def rested(book: TagBook, name: str, now: float, *ghosts: bytes) -> None:
    tag = book.begin(name, now)
    tag.ghosts |= set(ghosts)
    book.end(tag, now, 7)


def test_a_ghost_of_one_tag_is_foreign_to_the_others_until_it_is_forgotten() -> None:
    book = TagBook()
    rested(book, "a", 1.0, b"one")
    rested(book, "b", 2.0, b"two")
    assert (book.foreign("a"), book.foreign("b")) == ({b"two"}, {b"one"})
    leaving = book.retire("a")
    assert leaving is not None
    assert book.foreign("b") == {b"one"}
    assert book.foreign("a") == {b"two"}
    book.forget(leaving)
    assert book.foreign("b") == set()
    assert not book.knows("a")


def test_a_tag_at_work_stays_and_one_that_nobody_saw_does_not() -> None:
    book = TagBook()
    tag = book.begin("a", 1.0)
    assert book.retire("a") is None
    assert book.idle_since(9.0) == ()
    book.end(tag, 2.0)
    assert not book.knows("a")
    assert book.retire("a") is None


def test_what_rests_longest_comes_first_and_the_sums_are_kept() -> None:
    book = TagBook()
    for name, now in (("late", 5.0), ("early", 1.0), ("middle", 3.0)):
        rested(book, name, now, name.encode())
    assert book.idle_since(3.0) == ("early", "middle")
    rested(book, "early", 6.0)
    assert book.idle_since(9.0) == ("middle", "late", "early")
    (early,) = (tag for tag in book.all() if tag.name == "early")
    assert (early.asked, early.spent_msat) == (2, 14)


def test_there_is_room_for_so_many_and_for_those_that_are_there() -> None:
    book = TagBook()
    for number in range(MAX_TAGS):
        assert book.has_room_for(str(number))
        rested(book, str(number), float(number), b"ghost")
    assert not book.has_room_for("more")
    assert book.has_room_for("0")


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["be", "re", "fo"])), max_size=40)
)
def test_no_ghost_is_free_while_a_tag_that_saw_it_is_there(deeds: list[tuple[str, str]]) -> None:
    """Each tag meets a ghost of its own name; whatever is done, it is nobody else's meanwhile."""
    book, leaving = TagBook(), []
    for now, (name, deed) in enumerate(deeds):
        if deed == "be":
            rested(book, name, float(now), name.encode())
        elif deed == "re" and (tag := book.retire(name)) is not None:
            leaving.append(tag)
        elif deed == "fo" and leaving:
            book.forget(leaving.pop())
        there = {tag.name for tag in (*book.all(), *leaving)}
        for other in "abc":
            assert book.foreign(other) == {n.encode() for n in there - {other}}
