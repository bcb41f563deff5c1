"""The rest of the headless model: circuits, status, wallet, earnings, offers."""

from __future__ import annotations

from tests.helpers.scripted_node import circuit, ghost_earnings, sample_state
from tui.app.circuits import CircuitBook
from tui.app.explain import figures
from tui.app.model import AppModel


def test_rates_come_from_two_snapshots() -> None:
    book = CircuitBook()
    book.snapshot([circuit("a", "chat", "open", 1, 100, 200, 10, 20)], now=10.0, wall=0.0)
    book.snapshot([circuit("a", "chat", "open", 2, 104, 208, 10, 28)], now=10.5, wall=0.5)
    seen = book.circuits["a"]
    assert (seen.up_rate, seen.down_rate) == (8.0, 16.0)
    assert list(seen.down_history) == [16.0]
    assert seen.padding_share is not None
    assert abs(seen.padding_share - (1 - 38 / 312)) < 1e-9


def test_padding_share_needs_cells() -> None:
    book = CircuitBook()
    book.snapshot([circuit("a", "chat", "open", 1, 0, 0, 0, 0)], 0.0, 0.0)
    assert book.circuits["a"].padding_share is None


def test_open_circuits_come_first_and_vanished_ones_are_noted() -> None:
    book = CircuitBook()
    book.snapshot(
        [
            circuit("b", "spare", "building", 1, 0, 0, 0, 0),
            circuit("a", "chat", "open", 9, 1, 1, 1, 1),
        ],
        0.0,
        0.0,
    )
    assert [c.circuit_id for c in book.ordered()] == ["a", "b"]
    book.snapshot([], 1.0, 1.0)
    assert [text for _, text in book.events] == ["circuit b is gone", "circuit a is gone"] or len(
        book.events
    ) == 2
    book.changed({"circuit_id": 7, "state": "closed", "reason": "REQUESTED"}, 2.0)
    assert book.events[-1][1] == "circuit 7 closed: REQUESTED"


def test_mailbox_visits_do_not_crowd_out_what_else_happened() -> None:
    book = CircuitBook()
    book.changed({"circuit_id": 1, "state": "open", "purpose": "chat"}, 1.0)
    for number in range(100):
        visit = {"circuit_id": number, "state": "open", "purpose": "mailbox visit"}
        book.changed(visit, 2.0 + number)
    book.changed({"circuit_id": 2, "state": "open", "purpose": "wallet"}, 200.0)
    shown = book.happenings
    assert [text for _, text in shown.shown()] == ["chat circuit 1 open", "wallet circuit 2 open"]
    assert shown.title == "without mailbox visits"
    assert shown.hidden() == 60
    found = []
    for _ in range(5):
        before = book.revision
        found.append((book.show_others(), len(shown.shown()), shown.title))
        assert book.revision > before
    assert found == [
        ("all", 62, "everything"),
        ("chat", 1, "chat circuits only"),
        ("mailbox", 60, "mailbox circuits only"),
        ("wallet", 1, "wallet circuits only"),
        ("", 2, "without mailbox visits"),
    ]


def test_what_happened_before_the_screen_listened_comes_first() -> None:
    book = CircuitBook()
    book.changed({"circuit_id": 3, "state": "open", "purpose": "chat"}, 50.0)
    notes = [
        {"ts": 10.0, "circuit_id": 1, "state": "open", "purpose": "chat"},
        {"ts": 20.0, "circuit_id": 2, "state": "open", "purpose": "directory"},
        {"ts": 49.9, "circuit_id": 3, "state": "open", "purpose": "chat"},
    ]
    book.history(notes)
    assert [wall for wall, _ in book.events] == [10.0, 20.0, 50.0]


def test_status_numbers_in_words() -> None:
    model = AppModel()
    assert figures(model)[0].short == "not connected"
    model.link_up(1.0)
    model.set_status(sample_state()["status"])
    by_label = {figure.name: figure for figure in figures(model)}
    assert by_label["drawn from"].long == "24 relays"
    assert by_label["shape leak"].short == "≤2 bit"
    assert by_label["guard kept"].short == "12 d"
    assert by_label["last message"].short == "0.412 sat"
    assert all(figure.meaning for figure in figures(model))


def test_bulk_tier_is_called_weaker() -> None:
    model = AppModel()
    model.link_up(1.0)
    model.set_status({"tier": "bulk", "shape_leak_bound": "unbounded"})
    assert figures(model)[0].tone == "warning"
    assert figures(model)[-1].tone == "warning"


def test_what_another_run_of_the_node_was_answering_is_over() -> None:
    model = AppModel()
    model.link_up(1.0, "one")
    model.chat.begin(model.chat.current, "Q", 0.0, 0.0)
    model.link_lost(2.0, "a pause")
    model.link_up(3.0, "one")
    assert model.chat.current.live is not None
    model.link_up(4.0, "two")
    assert model.chat.current.live is None


def test_the_cheapest_offer_is_shown() -> None:
    model = AppModel()
    offers = sample_state()["models"]
    model.set_offers([*offers, {**offers[0], "ghost": "dear", "cap_msat": 99_000}])
    assert model.chat.current.model == "smollm2-135m"
    offer = model.offer("smollm2-135m")
    assert offer is not None
    assert offer.cap_msat == 20_000
    assert model.offer("nothing") is None


def test_wallet_and_earnings_read_what_the_node_says() -> None:
    model = AppModel()
    state = sample_state()
    model.wallet.balance(state["wallet.balance"])
    model.wallet.set_history(state["wallet.history"])
    assert model.wallet_sat() == 4096
    assert model.wallet.mints[1].healthy is False
    model.earnings.update(ghost_earnings())
    assert model.earnings.enabled
    assert (len(model.earnings.hours), len(model.earnings.days)) == (24, 30)
    model.earnings.update({"enabled": "yes", "hours": [[1], "x"], "refusals": {"busy": "x"}})
    assert not model.earnings.enabled
    assert model.earnings.hours == []


def test_unknown_events_are_ignored() -> None:
    model = AppModel()
    model.event("from.the.future", {"x": 1}, 0.0, 0.0)
    model.event("log", {"level": "warning", "message": "a mint is slow"}, 0.0, 5.0)
    assert model.circuits.events[-1] == (5.0, "a mint is slow")
