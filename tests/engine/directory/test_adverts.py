"""The set of verified adverts, and the comparison of two of them."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.directory.adverts import AdvertSet, Outcome
from engine.directory.reconcile import MAX_OFFERED, MAX_REQUESTS, Librarian, Reconciler, Report
from engine.errors import ProtocolError
from engine.wire import directory as wire
from tests.helpers.adverts import NOW, advert_of

ADVERTS = [advert_of(number) for number in range(1, 41)]


def filled(raws: list[bytes], **limits: int) -> AdvertSet:
    adverts = AdvertSet(**limits)
    for raw in raws:
        adverts.add(raw, NOW)
    return adverts


def reconcile(mine: AdvertSet, theirs: AdvertSet, *, push: bool) -> Report:
    """Run one comparison to its end, through the codec."""
    asking, serving = Reconciler(mine, NOW, push=push), Librarian(theirs)
    while (request := asking.request) is not None:
        reply = serving.answer(wire.decode(wire.encode(request)[4:]), NOW)
        asking.answer(wire.decode(wire.encode(reply)[4:]))
    return asking.report


def test_news_is_kept_and_the_later_advert_counts() -> None:
    adverts = AdvertSet()
    old, new = (advert_of(1, published=NOW - age) for age in (60, 0))
    assert adverts.add(old, NOW) is Outcome.KEPT
    assert adverts.add(old, NOW) is Outcome.KNOWN
    assert adverts.add(new, NOW) is Outcome.KEPT
    assert adverts.add(old, NOW) is Outcome.KNOWN
    assert adverts.dump() == [new]


def test_an_advert_that_does_not_verify_is_refused() -> None:
    raw = bytearray(ADVERTS[0])
    raw[-1] ^= 1
    adverts = AdvertSet()
    assert adverts.add(bytes(raw), NOW) is Outcome.REFUSED
    assert adverts.add(ADVERTS[0], NOW + 7_200) is Outcome.REFUSED
    assert len(adverts) == 0


def test_an_advert_the_owner_does_not_admit_is_refused() -> None:
    adverts = AdvertSet(admits=lambda advert: advert.addresses[0].host != "127.5.0.1")
    assert adverts.add(ADVERTS[3], NOW) is Outcome.REFUSED
    assert adverts.add(ADVERTS[4], NOW) is Outcome.KEPT


def test_one_network_cannot_fill_the_set() -> None:
    crowd = [advert_of(number, host="127.9.0.7") for number in range(1, 11)]
    adverts = filled(crowd, max_per_network=4)
    assert len(adverts) == 4
    assert adverts.add(ADVERTS[20], NOW) is Outcome.KEPT
    assert adverts.add(advert_of(1, host="127.9.0.7", published=NOW + 9), NOW) in (
        Outcome.KEPT,  # a node that is in may renew its advert
        Outcome.REFUSED,
    )
    assert len(adverts) == 5


def test_a_full_set_refuses_strangers_and_renews_its_own() -> None:
    adverts = filled(ADVERTS[:5], max_nodes=5)
    assert adverts.add(ADVERTS[5], NOW) is Outcome.REFUSED
    assert adverts.add(advert_of(1, published=NOW + 5), NOW) is Outcome.KEPT


def test_expired_adverts_leave_every_index() -> None:
    adverts = filled(ADVERTS)
    assert adverts.expire(NOW + 3_601) == len(ADVERTS)
    assert len(adverts) == 0
    assert adverts.hashes() == AdvertSet().hashes()


@given(st.lists(st.sampled_from(ADVERTS), max_size=60), st.randoms())
def test_hashes_depend_on_the_content_alone(raws: list[bytes], rng: random.Random) -> None:
    shuffled = list(raws)
    rng.shuffle(shuffled)
    one, other = filled(raws), filled(shuffled)
    assert one.hashes() == other.hashes()
    assert one.dump() == other.dump()
    extra = next((raw for raw in ADVERTS if not one.knows(wire.advert_id(raw))), None)
    if extra is not None:
        one.add(extra, NOW)
        assert len(one.differing(other.hashes())) == 1


@settings(max_examples=40)
@given(st.sets(st.sampled_from(range(40))), st.sets(st.sampled_from(range(40))), st.booleans())
def test_a_comparison_completes_the_sets(mine: set[int], theirs: set[int], push: bool) -> None:
    ours, other = (filled([ADVERTS[n] for n in chosen]) for chosen in (mine, theirs))
    report = reconcile(ours, other, push=push)
    assert report.kept == len(theirs - mine)
    assert report.missing_there == len(mine - theirs)
    assert len(ours) == len(mine | theirs)
    assert len(other) == (len(mine | theirs) if push else len(theirs))
    assert report.agree == (mine == theirs)
    assert reconcile(ours, other, push=False).kept == 0


def test_a_pull_tells_nothing_of_what_the_asking_side_has() -> None:
    """A client asks for what it lacks; it never offers."""
    asking = Reconciler(filled(ADVERTS[:5]), NOW, push=False)
    serving = Librarian(AdvertSet())
    sent = []
    while (request := asking.request) is not None:
        sent.append(type(request))
        asking.answer(serving.answer(request, NOW))
    assert wire.Put not in sent


def test_an_advert_nobody_asked_for_ends_the_comparison() -> None:
    asking = Reconciler(AdvertSet(), NOW, push=False)
    serving = Librarian(filled(ADVERTS[:2]))
    for _ in range(2):
        request = asking.request
        assert request is not None
        asking.answer(serving.answer(request, NOW))
    assert isinstance(asking.request, wire.Get)
    with pytest.raises(ProtocolError):
        asking.answer(wire.Adverts((ADVERTS[7],)))


def test_a_stream_may_not_ask_for_ever() -> None:
    serving = Librarian(AdvertSet())
    for _ in range(MAX_REQUESTS):
        serving.answer(wire.Sum(), NOW)
    with pytest.raises(ProtocolError):
        serving.answer(wire.Sum(), NOW)


def test_a_stream_may_not_offer_for_ever() -> None:
    serving = Librarian(AdvertSet())
    junk = wire.Put(tuple(bytes([n % 256, n // 256]) for n in range(wire.MAX_ADVERTS)))
    for _ in range(MAX_OFFERED // wire.MAX_ADVERTS):
        assert serving.answer(junk, NOW) == wire.Kept(0, wire.MAX_ADVERTS)
    with pytest.raises(ProtocolError):
        serving.answer(junk, NOW)


@pytest.mark.parametrize("answer", [wire.Kept(0, 0), wire.Offer(b""), wire.Ids(b""), wire.Sum()])
def test_an_answer_to_another_question_is_refused(answer: wire.Message) -> None:
    asking = Reconciler(AdvertSet(), NOW, push=False)
    with pytest.raises(ProtocolError):
        asking.answer(answer)
