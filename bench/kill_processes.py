"""Real processes for `bench.kill_relay --processes`: a demo, questions, and SIGKILL for a relay.

The provider pauses before each word, so that there is a middle to kill in. The demo starts a relay
that died again, as a machine would; the answer does not wait for that.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from random import Random
from typing import Any

from tests.e2e.demo_process import ScreenDemo, everyone, fake_provider, short_folder
from tests.helpers.kill_world import Outcome
from tests.helpers.processes import wait_until
from tests.helpers.provider_fake import TEXT

PAUSE_S = 0.4
STREAM_S = PAUSE_S * len(TEXT.split())
RELAYS = tuple(f"relay{number}" for number in range(1, 7))


def run_processes(runs: int, seed: int) -> dict[int, Outcome]:
    """Ask `runs` questions of one demo and kill a relay of the circuit in each answer."""
    outcomes: dict[int, Outcome] = {}
    with fake_provider("slow", "--pause", str(PAUSE_S)) as url, short_folder() as folder:
        demo = ScreenDemo(folder, "--provider-url", url)
        try:
            demo.wait_open()
            names = {demo.cli("status", node=name)["node"]: name for name in RELAYS}
            for number in range(seed, seed + runs):
                wait_until(lambda: set(RELAYS) <= set(everyone(demo.home)), "all relays run")
                outcomes[number] = one_run(demo, names, Random(number))
                print(f"run {number}: {outcomes[number]}", file=sys.stderr, flush=True)
        finally:
            demo.press("\x11")
            demo.close()
    return outcomes


def one_run(demo: ScreenDemo, names: dict[str, str], rng: Random) -> Outcome:
    """One question and one kill; the chat is read afterwards."""
    with demo.ask_slowly("What is an onion?") as asking:
        if asking.stdout is None or asking.stderr is None:
            return Outcome(False, "", "the question has no output")
        first = asking.stdout.read(1)
        time.sleep(rng.uniform(0, STREAM_S * 0.5))
        path = circuit_of_the_answer(demo, names)
        if asking.poll() is not None or not path:
            return Outcome(False, "", "the answer was over before anything was killed")
        os.kill(everyone(demo.home)[rng.choice(path)], signal.SIGKILL)
        out, errors = asking.stdout.read(), asking.stderr.read()
    if asking.returncode != 0 or (first + out).strip() != TEXT:
        return Outcome(False, "", f"exit {asking.returncode}: {errors.strip()[-200:]}")
    answers = answers_of_the_newest_chat(demo)
    if [answer["text"] for answer in answers] != [TEXT]:
        return Outcome(False, "", "the chat holds something else than the answer, once")
    return Outcome(True, "mailbox" if answers[0]["meta"]["by_mail"] else "resume")


def circuit_of_the_answer(demo: ScreenDemo, names: dict[str, str]) -> list[str]:
    """The relays of the busiest circuit to a ghost, guard first; `names` are by short id."""
    open_ones = [
        circuit
        for circuit in demo.cli("circuits")
        if circuit["state"] == "open" and len(circuit["hops"]) == 4
    ]
    if not open_ones:
        return []
    busiest = max(open_ones, key=lambda circuit: circuit["data_cells_down"])
    return [names[hop["id"]] for hop in busiest["hops"] if hop["id"] in names]


def answers_of_the_newest_chat(demo: ScreenDemo) -> list[dict[str, Any]]:
    """The assistant's messages of the chat asked in last."""
    newest = max(demo.cli("sessions", "list"), key=lambda session: session["created"])
    messages = demo.cli("sessions", "show", newest["session_id"])["messages"]
    return [message for message in messages if message["role"] == "assistant"]
