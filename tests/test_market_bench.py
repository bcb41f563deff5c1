"""The market's proofs in short: adversarial sessions, and many sessions against one ghost process.

The long runs are `python -m bench.market` and `python -m bench.ghost_load`.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench.ghost_load import measure
from bench.market import Report, run_world, simulate
from bench.market_weather import CLIMATES
from engine.market.client_session import ClientSession

ROOT = Path(__file__).resolve().parent.parent


def silent(_line: str) -> None:
    """Nobody looks."""


def test_adversarial_sessions() -> None:
    """Nobody loses more than a chunk, and every msat is where the books say."""
    report = simulate(144, 1, 1, silent)
    assert not report.notes
    assert report.good
    assert report.sessions == 144
    assert report.payments > 200
    assert report.cuts > 30
    assert len(report.tricks) > 15
    assert len(CLIMATES) > 5


def test_a_world_follows_from_its_seed() -> None:
    def told(seed: int) -> Report:
        report = Report()
        report.add(seed, *run_world(seed, 2))
        return report

    assert told(3) == told(3)
    assert told(3) != told(4)


def test_the_simulation_sees_a_client_that_pays_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault in the code under test must show: here a client that keeps two chunks paid."""
    usual = ClientSession.top_up_sat
    monkeypatch.setattr(ClientSession, "top_up_sat", lambda self: 2 * usual(self))
    report = simulate(72, 1, 1, silent)
    assert report.max_loss_chunks_client > 1
    assert not report.good
    assert report.violating_seeds


def test_it_prints_one_object() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bench.market", "--sessions", "9", "--jobs", "1", "--json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    found = json.loads(done.stdout)
    assert found["sessions"] == 9
    assert found["unaccounted_msat"] == 0
    assert {"max_loss_chunks_client", "max_loss_chunks_ghost"} <= found.keys()


def test_sixty_sessions_at_once_share_one_ghost() -> None:
    """Every session has half of its answer before any has more: one that had to wait for another
    to end would wait for ever. How even the shares are when nobody waits is the bench's to say."""
    report = measure(60, 60, 10.0, held=True)
    assert not report.errors
    assert report.finished == 60
    assert report.jain_index == 1
    assert report.least_share == 1
    assert report.ghost_kib_per_session < 1024
