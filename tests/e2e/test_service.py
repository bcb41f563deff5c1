"""Nodes under a supervisor: killed, hung, told to end, upgraded, without room. Nothing is lost.

The ecash that was put in is, at every end, in the client's wallet or what the ghost has earned or
holds as credit; what may be under way in an open session is one chunk.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.processes import wait_until
from tests.helpers.service import Supervisor, call
from tests.helpers.service_world import (
    CHUNK_SAT,
    Asking,
    World,
    ask,
    ask_until_answered,
    fund,
    held_sat,
    remount,
    service_world,
    small_disk,
)
from tui.demo.ports import free_port

KILLS = 2
ODD_NODE = (sys.executable, "-P", "-m", "tests.helpers.odd_clock")


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with service_world() as made:
        yield made


def earned_sat(world: World) -> tuple[float, float]:
    """What the ghost earned, and what it holds as clients' credit."""
    found = call(world.ghost.home, "earnings")
    return found["total_msat"] / 1000, found["credit_msat"] / 1000


def check_totals(world: World, *, more_held_sat: int = 0) -> None:
    """Every sat is somewhere; at most the chunk of an open session is between two books."""
    held = held_sat(world.client.home) + more_held_sat
    earned, credit = earned_sat(world)
    assert earned > 0
    missing = world.funded_sat - held - earned - credit
    assert -1 < missing <= 2 * CHUNK_SAT, (world.funded_sat, held, earned, credit)


def test_kills_at_random_moments_lose_nothing(world: World) -> None:
    rng = random.Random(8)
    for _ in range(KILLS):
        victim = rng.choice((world.client, world.ghost))
        before = len(victim.starts)
        asking = Asking(world.client.home)
        asking.start()
        asking.join(rng.uniform(0.0, 4.0))
        victim.signal(signal.SIGKILL)
        victim.wait(lambda v=victim, n=before: len(v.starts) > n, "it is started again")
        victim.wait_ready(len(victim.starts))
        asking.join(180)
        assert not asking.is_alive()
        assert ask_until_answered(world.client.home)["answer"]
    check_totals(world)


def test_a_hung_node_is_killed_and_serves_again(world: World) -> None:
    """Stopped, it feeds no watchdog; the supervisor ends it and what it kept is there."""
    client = world.client
    held, starts = held_sat(client.home), len(client.starts)
    client.watchdog_s = 3.0
    client.signal(signal.SIGSTOP)
    client.wait(lambda: len(client.starts) > starts, "the hung node is replaced")
    client.watchdog_s = 20.0
    assert client.ends[-1] == -signal.SIGKILL
    client.wait_ready(len(client.starts))
    assert ask_until_answered(client.home)["answer"]
    assert held_sat(client.home) <= held + CHUNK_SAT


def test_services_that_are_told_to_end_finish_their_answers(world: World) -> None:
    """SIGTERM to both ends of an answer while it runs: it comes whole, and both settle."""
    ask_until_answered(world.client.home)
    asking = Asking(world.client.home)
    asking.start()
    wait_until(lambda: call(world.ghost.home, "ghost.status")["running"], "the answer runs")
    both = (world.client, world.ghost)
    for node in both:
        node.signal(signal.SIGTERM)
    asking.join(180)
    assert "error" not in asking.result, asking.result
    assert asking.result["finish_reason"] == "stop"
    for node in both:
        assert node.wait_end() == 0
        assert node.told("STOPPING")[-1] == "1"
        assert any(line.startswith("Draining: ") for line in node.told("STATUS"))
        node.start_again()
    for node in both:
        node.wait_ready(len(node.starts))
    check_totals(world)


def test_what_runs_is_shown_and_a_second_call_ends_at_once(world: World) -> None:
    client = world.client
    asking = Asking(client.home)
    asking.start()
    wait_until(lambda: call(world.ghost.home, "ghost.status")["running"], "the answer runs")
    call(client.home, "stop", drain_s=600, patient=True)
    status = call(client.home, "status")
    assert status["state"] == "draining"
    assert status["draining"]["questions"] == 1
    assert status["draining"]["left_s"] > 300
    refused = ask(client.home, "And a leek?")
    assert refused["error"]["code"] == "shutting_down"
    client.signal(signal.SIGTERM)
    assert client.wait_end() == 0
    asking.join(180)
    client.start_again()
    client.wait_ready(len(client.starts))
    assert ask_until_answered(client.home)["answer"]
    check_totals(world)


def test_another_program_takes_over_in_the_same_process(world: World) -> None:
    ghost = world.ghost
    pid, ready = ghost.pid, len(ghost.told("READY"))
    began = call(ghost.home, "status")["uptime_s"]
    call(ghost.home, "upgrade", wait_s=20)
    ghost.wait_ready(ready + 1)
    status = call(ghost.home, "status")
    assert status["pid"] == pid == ghost.pid
    assert status["uptime_s"] < began or began < 5
    assert ask_until_answered(world.client.home)["answer"]
    check_totals(world)


def test_a_full_disk_costs_nothing_and_passes(world: World) -> None:
    home = world.folder / "full"
    with small_disk(home, 24) as mounted:
        if not mounted:
            pytest.skip("no file system can be mounted here")
        world.fresh_client(home)
        with Supervisor(world.folder, home) as client:
            client.wait_ready()
            fund(home, world.plan.mint_url, 200)
            assert ask_until_answered(home)["answer"]
            held = held_sat(home)
            fill(home / "filler")
            refused = ask(home)
            assert refused["error"]["code"] == "store_full"
            assert refused["error"]["exit_code"] == 3
            wait_until(
                lambda: any("disk is full" in w for w in call(home, "status")["warnings"]),
                "the status says so",
            )
            assert held_sat(home) == held
            (home / "filler").unlink()
            wait_until(
                lambda: not any("disk is full" in w for w in call(home, "status")["warnings"]),
                "and that it is over",
            )
            assert ask_until_answered(home)["answer"]
            call(home, "stop", drain_s=10)
            assert client.wait_end() == 0
        fill(home / "filler")
        with Supervisor(world.folder, home, once=True) as client:
            assert client.wait_end() == 2
            error = client.error()
            assert str(home) in error["message"]
            assert "full" in error["message"]
        (home / "filler").unlink()
        assert remount(home, "ro")
        with Supervisor(world.folder, home, once=True) as client:
            assert client.wait_end() == 2
            error = client.error()
            assert f"{home} cannot be written: Read-only file system" in error["message"]
            assert f"user {os.getuid()}" in error["hint"]
            assert "nothing was started" in error["kept"].lower()
        assert remount(home, "rw")
        with Supervisor(world.folder, home) as client:
            client.wait_ready()
            assert ask_until_answered(home)["answer"]
            assert 0 < held - held_sat(home) <= 3 * CHUNK_SAT


def test_a_slow_clock_is_told_and_mended_without_a_restart(world: World) -> None:
    with odd_node(world, -7_200) as (client, clock):
        home = client.home
        # Told by adverts that are as old as this network, so two hours are the most it can be.
        wait_until(lambda: warned(home, " slow or more"), "the clock is doubted")
        refused = ask(home)["error"]
        assert (refused["code"], refused["exit_code"]) == ("no_route", 4)
        assert "nothing was paid" in refused["kept"]
        clock.write_text("0")
        wait_until(lambda: call(home, "status")["relays_known"], "it knows relays")
        assert not warned(home, "clock")
        fund(home, world.plan.mint_url, 100)
        assert ask_until_answered(home)["answer"]
        assert len(client.starts) == 1


def test_a_fast_clock_is_told_and_costs_nothing(world: World) -> None:
    with odd_node(world, 7_200) as (node, clock):
        home = node.home
        wait_until(lambda: warned(home, "about 2 h fast"), "the clock is doubted")
        fund(home, world.plan.mint_url, 100)
        assert ask_until_answered(home)["answer"]
        clock.write_text("0")
        wait_until(lambda: not warned(home, "clock"), "it is mended")
        assert ask_until_answered(home)["answer"]
        assert 100 - 3 * CHUNK_SAT <= held_sat(home) < 100
        assert len(node.starts) == 1


def test_a_relay_with_a_fast_clock_is_refused_until_it_is_mended(world: World) -> None:
    with odd_node(world, 7_201, relay="127.9.0.1") as (node, clock):
        home = node.home
        own = call(home, "hello", protocol=1)["node"]
        wait_until(lambda: warned(home, "about 2 h fast"), "the clock is doubted")
        assert own not in known(world), "an advert of tomorrow is refused"
        clock.write_text("0")
        wait_until(lambda: warned(home, "was set 120 min back"), "it says so")
        assert call(home, "status")["clock_off_s"] == pytest.approx(-7_200, abs=60)
        node.signal(signal.SIGTERM)
        assert node.wait_end() == 0
        node.start_again()
        node.wait_ready(2)
        wait_until(lambda: own in known(world), "others take its advert")
        assert not warned(home, "clock")


@contextlib.contextmanager
def odd_node(world: World, off_s: int, *, relay: str = "") -> Iterator[tuple[Supervisor, Path]]:
    """A client, or a relay at an address, whose clock is off by what the file says."""
    home, clock = world.folder / f"odd{off_s}", world.folder / f"clock{off_s}"
    world.fresh_client(home)
    clock.write_text(str(off_s))
    if relay:
        file = home / "config.toml"
        text = file.read_text().replace('["client"]', '["relay"]')
        file.write_text(f'{text}\n[link]\nlisten = "{relay}:{free_port(relay)}"\n')
    program = (*ODD_NODE, str(clock))
    with Supervisor(world.folder, home, program=program) as node:
        node.wait_ready()
        yield node, clock


def warned(home: Path, words: str) -> bool:
    return any(words in warning for warning in call(home, "status")["warnings"])


def known(world: World) -> list[str]:
    """The relays that a relay of the network knows."""
    relay = world.plan.home.folder("relay1")
    return [node["id"] for node in call(relay, "network")["relays"]]


def fill(path: Path) -> None:
    """Until there is no room for a byte."""
    with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(4096)):
            pass
