"""The pool: paths that obey the rules, retries around dead relays, isolation by purpose."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import trio

from engine.circuit import pool
from engine.circuit.client import CircuitState
from engine.circuit.shaping import BULK_PLAN
from engine.directory.bias import Tally
from engine.directory.networks import TextTable
from engine.directory.rules import PathRules
from engine.directory.settings import PathSettings
from engine.errors import CircuitClosed, ConfigError, NoRoute
from engine.wire.frames import Begin, Purpose, encode_begin
from tests.helpers.client_pool import bench, stop

pytestmark = pytest.mark.trio
REAL_TIME = time.time
SESSION = encode_begin(Begin(Purpose.SESSION))


async def test_a_path_to_a_ghost_has_three_different_relays(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        circuit = await b.pool.build_to(b.ghost, "chat", BULK_PLAN)
        assert [hop.role for hop in circuit.path] == ["guard", "middle", "middle", "ghost"]
        assert len({hop.host.split(".")[1] for hop in circuit.path}) == 4
        assert b.saved[0][0]["node_id"] == circuit.path[0].node_id.hex()
        assert ("open for chat") in [text for _, _, text in b.changes]


async def test_the_guard_stays_the_middles_change(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        paths = [(await b.pool.build_to(b.ghost, "chat", BULK_PLAN)).path for _ in range(12)]
        assert len({path[0].node_id for path in paths}) == 1
        assert len({path[1].node_id for path in paths}) > 1


@pytest.mark.parametrize("place", [0, 1, 2])
async def test_a_dead_relay_is_routed_around(tmp_path: Path, place: int) -> None:
    async with bench(tmp_path) as b:
        first = await b.pool.build_to(b.ghost, "chat", BULK_PLAN)
        dead = first.path[place].node_id
        stop(b.network, dead)
        with trio.fail_after(60):
            await first.closed_event.wait()
            again = await b.pool.build_to(b.ghost, "chat", BULK_PLAN)
            assert dead not in [hop.node_id for hop in again.path]
            stream = again.open_stream(SESSION)
            await stream.send_all(b"still here")
            assert await stream.receive_some() == b"still here"


async def test_a_dead_ghost_is_reported_not_retried_for_ever(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        stop(b.network, b.ghost.node_id)
        with trio.fail_after(60), pytest.raises((CircuitClosed, NoRoute)) as caught:
            await b.pool.build_to(b.ghost, "chat", BULK_PLAN)
        assert caught.value.kept


@pytest.mark.parametrize(("patience_s", "tried"), [(60.0, 5), (0.0, 1)])
async def test_no_further_path_is_tried_when_somebody_has_waited_for_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, patience_s: float, tried: int
) -> None:
    monkeypatch.setattr(pool, "BUILD_PATIENCE_S", patience_s)
    async with bench(tmp_path) as b:
        stop(b.network, b.ghost.node_id)
        with pytest.raises(CircuitClosed, match=f"tried: {tried}"):
            await b.pool.build_to(b.ghost, "chat", BULK_PLAN)


async def test_too_small_a_network_is_refused(tmp_path: Path) -> None:
    async with bench(tmp_path, relays=2) as b:
        with pytest.raises(NoRoute, match="No safe path"):
            await b.pool.build_to(b.ghost, "chat", BULK_PLAN)
        with pytest.raises(NoRoute):
            b.pool.check_network()


async def test_purposes_never_share_a_circuit(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        chat = await b.pool.build_to(b.ghost, "chat", BULK_PLAN)
        wallet = await b.pool.shared_exit("wallet", BULK_PLAN)
        again = await b.pool.shared_exit("wallet", BULK_PLAN)
        other = await b.pool.shared_exit("directory", BULK_PLAN)
        assert wallet is again
        assert len({id(c) for c in (chat, wallet, other)}) == 3
        assert [hop.role for hop in wallet.path] == ["guard", "middle", "exit"]


async def test_a_circuit_to_a_relay_ends_at_that_relay(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        last = b.network.nodes[2].advert()
        circuit = await b.pool.build_to_relay(last, "mailbox", BULK_PLAN)
        assert [hop.role for hop in circuit.path] == ["guard", "middle", "mailbox"]
        assert circuit.path[-1].node_id == last.node_id
        assert circuit.why.startswith("The mailbox came first")
        assert not any(hop.host in circuit.why for hop in circuit.path)


async def test_retired_circuits_are_closed_and_forgotten(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        circuit = await b.pool.build_to(b.ghost, "chat", BULK_PLAN)
        b.pool.retire(circuit)
        with trio.fail_after(60):
            await circuit.closed_event.wait()
            while b.pool.circuits:
                await trio.sleep(0.01)
        assert circuit.state is CircuitState.CLOSED


async def test_tags_of_one_purpose_never_share_a_circuit(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        one = await b.pool.shared_exit("wallet", BULK_PLAN, "https://one.example")
        other = await b.pool.shared_exit("wallet", BULK_PLAN, "https://two.example")
        assert one is not other
        assert await b.pool.shared_exit("wallet", BULK_PLAN, "https://one.example") is one


async def test_a_clean_circuit_waits_for_the_purpose_that_wants_one(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        b.pool.keep_ready("wallet", BULK_PLAN)
        with trio.fail_after(60):
            while not any(c.state is CircuitState.OPEN for c in b.pool.circuits.values()):
                await trio.sleep(0.01)
        (spare,) = b.pool.circuits.values()
        assert await b.pool.shared_exit("wallet", BULK_PLAN, "a mint") is spare
        await b.pool._upkeep()
        assert len(b.pool.circuits) == 2


async def test_mailbox_circuits_draw_their_middle_from_a_small_set(tmp_path: Path) -> None:
    async with bench(tmp_path, relays=8) as b:
        last = b.network.nodes[0].advert()
        middles = {
            (await b.pool.build_to_relay(last, "mailbox-poll", BULK_PLAN)).path[1].node_id.hex()
            for _ in range(12)
        }
        assert middles <= b.pool.guards.layer2.node_ids
        assert len(b.pool.guards.layer2.node_ids) == 4
        assert {item.get("layer") for item in b.saved[-1]} == {None, 2}


async def test_failures_are_counted_where_they_belong(tmp_path: Path) -> None:
    """A hop that says itself that it cannot go on clears the guard; silence does not."""
    async with bench(tmp_path) as b:
        first = await b.pool.build_to(b.ghost, "chat", BULK_PLAN)
        guard = b.pool.guards.in_use
        assert guard is not None
        assert guard.total("building") == Tally(1, 1)
        stop(b.network, b.ghost.node_id)
        with trio.fail_after(60), pytest.raises(CircuitClosed):
            await b.pool.build_to(b.ghost, "chat", BULK_PLAN)
        assert guard.total("building") == Tally(1, 1)
        assert first.state is CircuitState.CLOSED


async def test_a_guard_that_cannot_reach_the_next_hop_is_charged(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        first = await b.pool.build_to(b.ghost, "chat", BULK_PLAN)
        guard = b.pool.guards.in_use
        assert guard is not None
        for node in b.network.nodes:
            if node.identity.node_id not in (first.path[0].node_id, b.ghost.node_id):
                stop(b.network, node.identity.node_id)
        with trio.fail_after(60), pytest.raises(CircuitClosed):
            await b.pool.build_to(b.ghost, "chat", BULK_PLAN)
        assert guard.total("building") == Tally(1 + 5, 1)


async def test_a_circuit_cut_in_use_is_charged_once_a_link(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        circuits = [await b.pool.build_to(b.ghost, "chat", BULK_PLAN) for _ in range(3)]
        guard = b.pool.guards.in_use
        assert guard is not None
        for circuit in circuits:
            await circuit.open_stream(SESSION).wait_connected()
        for node in b.network.nodes:
            if node.identity.node_id == circuits[0].path[0].node_id:
                for link in node.links.links:
                    link.close()
        with trio.fail_after(60):
            for circuit in circuits:
                await circuit.closed_event.wait()
            while b.pool.circuits:
                await trio.sleep(0.01)
        assert guard.total("use") == Tally(1, 0)


async def test_circuits_that_fall_silent_with_their_link_are_charged_once(tmp_path: Path) -> None:
    """An outage of our own network must not look like a guard that cuts many circuits."""
    async with bench(tmp_path) as b:
        circuits = [await b.pool.build_to(b.ghost, "chat", BULK_PLAN) for _ in range(3)]
        guard = b.pool.guards.in_use
        assert guard is not None
        with trio.fail_after(60):
            for circuit in circuits:
                await circuit.open_stream(SESSION).wait_connected()
            for circuit in circuits:
                circuit.endpoint.silent = True
                circuit.endpoint.kick()
            while b.pool.circuits:
                await trio.sleep(0.01)
        assert guard.total("use") == Tally(1, 0)


async def test_the_report_names_guards_and_counts_but_no_address(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        circuit = await b.pool.build_to(b.ghost, "chat", BULK_PLAN)
        report = b.pool.report()
        assert report.in_use == circuit.path[0].short_id
        assert [guard.state for guard in report.guards] == ["in use", "primary", "primary"]
        assert report.guards[0].confirmed
        assert report.set_size == 4
        assert "127." not in repr(report)


async def test_refusals_are_kept_for_the_report(tmp_path: Path) -> None:
    async with bench(tmp_path, relays=2) as b:
        for _ in range(2):
            with pytest.raises(NoRoute):
                await b.pool.build_to(b.ghost, "chat", BULK_PLAN)
        (refusal,) = b.pool.report().refusals
        assert "2 more relays are needed; of the 2 known 1 fits (1 is on the path" in refusal


async def test_an_exit_the_user_avoids_is_refused_with_the_reason(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        table = TextTable(["127.5.0.0/16 64500"], "t", 0.0)
        wish = PathSettings(tmp_path, avoid_asns=frozenset({64500}))
        b.pool._paths.rules = PathRules(wish, table)
        with pytest.raises(NoRoute, match="your settings avoid"):
            await b.pool.build_to(b.ghost, "chat", BULK_PLAN)
        with pytest.raises(NoRoute, match="avoided by your settings"):
            await b.pool.shared_exit("wallet", BULK_PLAN)
        with pytest.raises(NoRoute, match="every one of the 1 ghosts"):
            b.pool.check_network()


async def test_a_relay_is_no_hop_of_its_own_questions(tmp_path: Path) -> None:
    """As its own guard it would hide nobody: the middle is asked from the client's address."""
    async with bench(tmp_path, relays=5) as b:
        first = await b.pool.build_to(b.ghost, "chat", BULK_PLAN)
        own = first.path[0].node_id  # kept as the guard from when the node was no relay yet
        b.pool.rules._own = own
        for _ in range(6):
            circuit = await b.pool.build_to(b.ghost, "chat", BULK_PLAN)
            exit_way = await b.pool.build_cover(BULK_PLAN)
            assert own not in {hop.node_id for hop in (*circuit.path, *exit_way.path)}
        b.pool.rules._own = b.ghost.node_id  # a ghost may be asked from its own machine
        assert (await b.pool.build_to(b.ghost, "chat", BULK_PLAN)).path[-1].role == "ghost"


async def test_a_clock_that_is_set_while_it_runs_costs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two hours back, when every key known begins later, and two hours on from there."""
    async with bench(tmp_path) as b:
        guard = (await b.pool.build_to(b.ghost, "chat", BULK_PLAN)).path[0].node_id
        for off_s in (-7_200.0, 0.0):
            monkeypatch.setattr(time, "time", lambda off_s=off_s: REAL_TIME() + off_s)
            circuit = await b.pool.build_to(b.ghost, "chat", BULK_PLAN)
            assert circuit.path[0].node_id == guard
            assert (await b.pool.shared_exit("wallet", BULK_PLAN)).path[0].node_id == guard


async def test_a_directory_that_vanishes_does_not_end_the_pool(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        (tmp_path / "directory.txt").unlink()
        b.pool.keep_ready("wallet", BULK_PLAN)
        await b.pool._upkeep()
        with pytest.raises(ConfigError):
            await b.pool.shared_exit("wallet", BULK_PLAN)
