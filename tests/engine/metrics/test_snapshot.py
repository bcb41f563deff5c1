"""Metrics tell little: rounded up, still for a window, no words from elsewhere."""

from __future__ import annotations

import math

import pytest
from prometheus_client.parser import text_string_to_metric_families

from engine.control.protocol.circuits import LinkTraffic, RelayTraffic, Traffic
from engine.control.protocol.earnings import Earnings
from engine.control.protocol.ghost import GhostStatus, GhostUpstream
from engine.control.protocol.network import GuardInfo, Network, PathInfo
from engine.control.protocol.node import Mailboxes, Status
from engine.control.protocol.wallet import MintInfo, WalletBalance
from engine.log import said, say
from engine.log.events_client import MintUnusable
from engine.log.words import Code
from engine.metrics.exposition import exposition
from engine.metrics.families import BY_NAME, FAMILIES, OWN_WINDOW_S, PREFIX, WINDOW_S
from engine.metrics.figures import of_log, of_node, of_process
from engine.metrics.snapshot import Figure, Snapshot
from engine.overview import Seen
from wallet.errors import MintUnreachable

SECRETS = ("mint.example", "ab12cd34", "gu4rd1d0", "gpt-secret", "openai-key-one", "203.0.113.9")
FLAGS = {
    *("draining", "warnings", "reachable", "work_bits", "ghost_paused", "client_guard_reachable"),
    "api_on",
}
"""Families of step 1: states, not counts of people or of what they do."""


def seen() -> Seen:
    return Seen(
        status=Status(
            node="ab12cd34",
            roles=["client", "relay", "ghost"],
            uptime_s=301,
            state="draining",
            clock_off_s=-7,
            relays_known=9,
            ghosts_known=3,
            circuits_open=12,
            wallet_sat=1,
            guard="gu4rd1d0",
            warnings=["The mint https://mint.example does not answer."],
            mailboxes=Mailboxes(slots=1, packets_passed=65),
        ),
        traffic=Traffic(
            links=LinkTraffic(bytes_in=1, bytes_out=100 << 20),
            relay=RelayTraffic(circuits=9, circuits_created=65, cells_forward=4_097),
        ),
        network=Network(paths=PathInfo(guards=[GuardInfo(id="gu4rd1d0", state="in use")])),
        balance=WalletBalance(
            total_sat=1_001,
            mints=[MintInfo(url="https://mint.example", healthy=False), MintInfo(url="x")],
        ),
        earnings=Earnings(
            answers=33,
            total_msat=100_001,
            refusals={"busy": 1, "provider_auth": 2, "gpt-secret says no": 40},
        ),
        ghost=GhostStatus(
            models=["gpt-secret"],
            keys=["openai-key-one"],
            running=1,
            sessions_open=5,
            upstreams=[GhostUpstream(name="203.0.113.9"), GhostUpstream(failure="timeout")],
        ),
        api=None,
    )


def page(snapshot: Snapshot) -> dict[tuple[str, tuple[str, ...]], float]:
    """As Prometheus reads it."""
    text = exposition(snapshot, "0.1.0").decode()
    for secret in SECRETS:
        assert secret not in text
    return {
        (sample.name.removeprefix(PREFIX), tuple(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_every_number_is_rounded_up_to_its_step_and_names_nobody() -> None:
    said.loud.clear()
    said.codes.clear()
    say(MintUnusable(Code.of(MintUnreachable("https://mint.example"))))
    snapshot = Snapshot()
    snapshot.take([*of_node(seen(), 1), *of_log()], 0)
    found = page(snapshot)
    assert found[("info", ("0.1.0",))] == 1
    for (name, _), value in found.items():
        if name != "info":
            step = BY_NAME[name].step
            assert math.isclose(value / step, round(value / step)), name
    assert found[("relay_circuits", ())] == 16
    assert found[("relay_circuits_total", ("made",))] == 128
    assert found[("relay_cells_total", ("forward",))] == 8_192
    assert found[("draining", ())] == 1
    assert found[("clock_off_seconds", ())] == 10
    assert found[("client_circuits", ())] == 4
    assert found[("client_link_bytes_total", ("in",))] == 32 << 20
    assert found[("wallet_sat", ())] == 2_000
    assert found[("mints_failing_percent", ())] == 50
    assert found[("ghost_sessions", ())] == 8
    assert found[("ghost_refusals_total", ("busy",))] == 32
    assert found[("ghost_refusals_total", ("provider",))] == 32
    assert found[("ghost_refusals_total", ("other",))] == 64
    assert found[("ghost_earned_sat_total", ())] == 200
    assert found[("events_total", ("mint_unusable",))] == 8
    assert found[("errors_total", ("mint_unreachable",))] == 8


def test_numbers_stand_still_for_a_window_and_the_users_own_for_longer() -> None:
    snapshot = Snapshot()
    snapshot.take([Figure("relay_circuits", 1), Figure("client_circuits", 1)], 0)
    assert not snapshot.due(WINDOW_S - 1)
    assert snapshot.due(WINDOW_S)
    later = [Figure("relay_circuits", 100), Figure("client_circuits", 100)]
    snapshot.take(later, WINDOW_S)
    found = page(snapshot)
    assert (found[("relay_circuits", ())], found[("client_circuits", ())]) == (104, 4)
    snapshot.take(later, OWN_WINDOW_S)
    assert page(snapshot)[("client_circuits", ())] == 100
    snapshot.take([], 2 * OWN_WINDOW_S)
    assert ("relay_circuits", ()) not in page(snapshot)


def test_counters_never_fall() -> None:
    snapshot = Snapshot()
    snapshot.take([Figure("relay_cells_rejected_total", 65)], 0)
    snapshot.take([Figure("relay_cells_rejected_total", 1)], WINDOW_S)
    assert page(snapshot)[("relay_cells_rejected_total", ())] == 128


def test_a_label_that_is_no_word_of_ours_is_not_told() -> None:
    snapshot = Snapshot()
    snapshot.take(
        [
            Figure("events_total", 1, ("https://mint.example",)),
            Figure("nodes_known", 1, ("203.0.113.9",)),
        ],
        0,
    )
    assert {labels for _, labels in page(snapshot)} == {("0.1.0",), ("other",)}


def test_families_are_coarse_and_say_what_they_count() -> None:
    assert len(BY_NAME) == len(FAMILIES)
    assert {family.name for family in FAMILIES if family.step <= 1} - {"loop_lag_seconds"} == FLAGS
    for family in FAMILIES:
        assert family.meaning.endswith(".")
        assert family.name.endswith("_total") == (family.kind == "counter")
        for label, _ in family.labels:
            assert label in {"event", "code", "role", "outcome", "direction", "state"}


def test_the_guide_lists_every_family() -> None:
    from tests.engine.log.test_vocabulary import ROOT

    guide = (ROOT / "docs" / "operating.md").read_text("utf-8")
    assert [f.name for f in FAMILIES if f"`{PREFIX}{f.name}`" not in guide] == []


@pytest.mark.parametrize("value", [0, 1e-9, 8, 8.0000001, 9, 15.9, 16])
def test_rounding_never_tells_less_than_there_is(value: float) -> None:
    told = BY_NAME["relay_circuits"].told(value)
    assert told >= value - 1e-6
    assert told - value <= 8


def test_of_process(tmp_path: object) -> None:
    from pathlib import Path

    store = Path(str(tmp_path)) / "store.db"
    store.write_bytes(bytes(3_000))
    store.with_name("store.db-wal").write_bytes(bytes(1_000))
    found = {figure.name: figure.value for figure in of_process(store, 0.2)}
    assert found["store_bytes"] == 4_000
    assert found["memory_bytes"] > 1 << 20
    assert found["loop_lag_seconds"] == 0.2
