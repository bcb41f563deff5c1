"""kill -9 of any one process while an answer streams: it goes on, or fails with a sentence. The
death of a relay is never more than a pause."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from tests.e2e.demo_process import ScreenDemo, everyone, fake_provider, short_folder
from tests.helpers.processes import wait_until
from tests.helpers.provider_fake import TEXT

FUNDED_SAT = 2000
CHUNK_SAT = 8
EXIT_CODES = {0, 4, 5, 6, 8}
# 15 words at 0.3 s each leave time to kill in the middle.
PAUSE_S = "0.3"


@pytest.fixture(scope="module")
def demo() -> Iterator[ScreenDemo]:
    with fake_provider("slow", "--pause", PAUSE_S) as url, short_folder() as folder:
        demo = ScreenDemo(folder, "--provider-url", url)
        try:
            demo.wait_open()
            yield demo
        finally:
            demo.press("\x11")
            demo.close()


def used_relays(demo: ScreenDemo) -> list[str]:
    """Names of the relays of the circuit that carries the session, guard first."""
    ids = {name: demo.cli("status", node=name)["node"] for name in everyone(demo.home)
           if name.startswith("relay")}  # fmt: skip
    by_id = {node: name for name, node in ids.items()}
    to_ghosts = [
        circuit
        for circuit in demo.cli("circuits")
        if circuit["state"] == "open" and len(circuit["hops"]) == 4
    ]
    busiest = max(to_ghosts, key=lambda circuit: circuit["data_cells_down"])
    return [by_id[hop["id"]] for hop in busiest["hops"] if hop["id"] in by_id]


@pytest.mark.parametrize("victim", ["guard", "middle", "last relay", "ghost", "mint", "client"])
def test_a_kill_midway(demo: ScreenDemo, victim: str) -> None:
    log = demo.home / "log" / "demo.log"
    with demo.ask_slowly("What is an onion?") as asking:
        assert asking.stdout is not None
        assert asking.stderr is not None
        first = asking.stdout.read(1)
        assert first == TEXT[0], asking.stderr.read()
        place = {"guard": 0, "middle": 1, "last relay": 2}.get(victim)
        name = victim if place is None else used_relays(demo)[place]
        before = len(log.read_text().splitlines())
        os.kill(everyone(demo.home)[name], signal.SIGKILL)
        out, errors = asking.stdout.read(), asking.stderr.read()
    assert asking.returncode in ({0} if name.startswith("relay") else EXIT_CODES), errors
    assert "Traceback" not in errors
    if asking.returncode == 0:
        assert (first + out).strip() == TEXT
    else:
        assert errors.strip()
    wait_until(
        lambda: f"{name} is running again" in "\n".join(log.read_text().splitlines()[before:]),
        f"{name} serves again",
    )


def test_a_question_afterwards_and_the_accounts(demo: ScreenDemo) -> None:
    for _ in range(4):
        found = demo.cli("ask", "And a leek?")
        if "error" not in found:
            break
    assert found["answer"] == TEXT
    mints = demo.cli("wallet", "balance")["mints"]
    held = sum(m["available_sat"] + m["reserved_sat"] + m["held_sat"] for m in mints)
    earned = demo.cli("earnings", node="ghost")
    known = -(-earned["total_msat"] // 1000) + -(-earned["credit_msat"] // 1000)
    assert FUNDED_SAT - held <= known + 2 * CHUNK_SAT


def test_the_user_can_see_how_paths_are_chosen(demo: ScreenDemo) -> None:
    network = demo.cli("network")
    paths = network["paths"]
    assert paths["set_size"] == len(network["relays"]) > 3
    states = {guard["id"]: guard["state"] for guard in paths["guards"]}
    assert states[paths["guard"]] == "in use"
    assert demo.cli("status")["guard"] == paths["guard"]
