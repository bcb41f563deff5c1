"""kill -9 of any one process of a running demo: questions work again, and no ecash is lost."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.demo_process import ScreenDemo, everyone, short_folder
from tests.helpers.processes import wait_until

FUNDED_SAT = 2000
CHUNK_SAT = 8


@pytest.fixture(scope="module")
def demo() -> Iterator[ScreenDemo]:
    with short_folder() as folder:
        demo = ScreenDemo(folder)
        try:
            demo.wait_open()
            yield demo
        finally:
            demo.press("\x11")
            demo.close()


def ask(demo: ScreenDemo, text: str) -> dict[str, Any]:
    """Ask until it works: a hop that died a moment ago may cost one try, never an odd error."""
    for _ in range(4):
        found: dict[str, Any] = demo.cli("ask", "--max-tokens", "24", text)
        if "error" not in found:
            return found
        assert found["error"]["exit_code"] in (4, 5, 6, 8), found
        assert found["error"]["message"]
    raise AssertionError(f"no answer after four tries: {found}")


@pytest.mark.parametrize("victim", ["relay1", "relay4", "ghost", "provider", "mint", "client"])
def test_everything_works_after_a_kill(demo: ScreenDemo, victim: str) -> None:
    before = everyone(demo.home)
    assert ask(demo, "What is an onion?")["answer"]
    os.kill(before[victim], signal.SIGKILL)
    wait_until(
        lambda: everyone(demo.home).get(victim) not in (None, before[victim]),
        f"{victim} is started again",
    )
    wait_until(
        lambda: f"{victim} is running again" in (demo.home / "log" / "demo.log").read_text(),
        f"{victim} serves again",
    )
    assert ask(demo, "What is a leek?")["answer"]
    assert demo.process.poll() is None


def test_all_ecash_is_accounted_for(demo: ScreenDemo) -> None:
    """What the wallet lacks is what answers cost, and at most the credit of open sessions."""
    mints = demo.cli("wallet", "balance")["mints"]
    held = sum(m["available_sat"] + m["reserved_sat"] + m["held_sat"] for m in mints)
    earned = demo.cli("earnings", node="ghost")
    spent_sat = -(-earned["total_msat"] // 1000)
    credit_sat = -(-earned["credit_msat"] // 1000)
    assert spent_sat > 0
    assert FUNDED_SAT - held <= spent_sat + credit_sat + 2 * CHUNK_SAT
