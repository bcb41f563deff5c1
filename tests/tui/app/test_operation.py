"""The ghost and relay counts of the earnings pane: speeds of two looks, words for any answer."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engine.exit.categories import CATEGORIES as KNOWN
from tests.helpers.scripted_ghost import ghost_state
from tui.app.earnings import EarningsView
from tui.app.operation import GhostState, RelaySum
from tui.app.panes.ghost_forms import CATEGORIES

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**12), 10**12) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=12,
)
FIELDS = st.sampled_from(
    ["relay", "upstreams", "engines", "days", "refusals", "hours", "usd_per_day"]
)


def test_the_categories_are_the_nodes() -> None:
    assert dict(CATEGORIES) == KNOWN


def test_tokens_a_second_come_from_two_looks() -> None:
    told = ghost_state()["ghost.status"]
    first = GhostState.of(told, GhostState(), 10.0)
    assert first.engines[0].per_s is None
    told["engines"][0]["tokens_out"] += 90
    second = GhostState.of(told, first, 12.0)
    assert second.engines[0].per_s == 45.0
    assert "45 tokens/s" in second.engines[0].words
    told["engines"][0]["tokens_out"] = 0  # loaded anew
    assert GhostState.of(told, second, 14.0).engines[0].per_s == 0.0


def test_bytes_a_second_of_a_relay() -> None:
    told = {"relay": {"links": {"bytes_in": 1_000, "bytes_out": 1_000}, "rate": 50_000}}
    first = RelaySum.of(told, None, 1.0)
    assert first is not None
    assert "measuring, of 50 kB/s" in dict(first.lines)["bandwidth"]
    told["relay"]["links"] = {"bytes_in": 9_000, "bytes_out": 1_000}
    second = RelaySum.of(told, first, 3.0)
    assert second is not None
    assert second.bytes_s == 4_000.0
    assert RelaySum.of({"relay": None}, second, 4.0) is None


def test_what_is_left_of_the_caps() -> None:
    lines = {
        name: words
        for name, words, _ in GhostState.of(ghost_state()["ghost.status"], GhostState(), 0.0).lines
    }
    assert lines["spent"] == "$0.4200 today, $4.58 of $5 left"
    assert lines["tokens"] == "48.2 k today, no cap"


@given(st.dictionaries(FIELDS, JSON), st.dictionaries(FIELDS, JSON))
def test_whatever_a_node_says_is_shown(one: object, other: object) -> None:
    view = EarningsView()
    for value in (one, other):
        view.update(value)
        view.set_ghost(value, 1.0)
        view.set_traffic(value, 1.0)
        view.set_payouts(value)
        assert view.ghost.lines
        assert all(upstream.words for upstream in view.ghost.upstreams)
        assert all(engine.words for engine in view.ghost.engines)
        assert view.relay is None or view.relay.lines
