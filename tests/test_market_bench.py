"""The market's proofs in short: adversarial sessions, and many sessions against one ghost process.

The long runs are `python -m bench.market` and `python -m bench.ghost_load`.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.ghost_load import measure
from bench.market import Report, run_world, simulate
from bench.market_cheats import SettlesMore
from bench.market_trick import Trick
from bench.market_tricks import KeepsChange, TakesAndVanishes
from bench.market_weather import CLIMATES
from bench.market_world import Setting
from engine.market import sizing
from engine.market.client_credit import ClientCredit
from engine.market.outlay import Outlay
from engine.session.stock import Stock
from tests.helpers.printed import printed

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
    usual = ClientCredit.top_up_sat
    monkeypatch.setattr(ClientCredit, "top_up_sat", lambda self, chunk: 2 * usual(self, chunk))
    report = simulate(72, 1, 1, silent)
    assert report.max_loss_chunks_client > 1
    assert not report.good
    assert report.violating_seeds


def with_(seed: int, *tricks: type[Trick], locks: str = "always") -> Report:
    """One world of these cheats at mints with input fees."""
    report = Report()
    report.add(seed, *run_world(seed, 3, Setting(100, locks, tricks)))
    return report


@pytest.mark.parametrize("locks", ["always", "off"])
def test_a_mints_fee_is_at_stake_too(locks: str) -> None:
    """A ghost that keeps what locked coins carry, or vanishes with a chunk: with the fee it is no
    more than the chunk."""
    report = with_(2, KeepsChange, TakesAndVanishes, locks=locks)
    assert not report.notes
    assert 0.5 < report.max_loss_chunks_client <= 1
    assert report.payments > 5


def test_the_simulation_sees_a_client_that_forgets_the_fee(monkeypatch: pytest.MonkeyPatch) -> None:
    """As it was: a lot is half a chunk, and its coins are worth more."""
    monkeypatch.setattr(Outlay, "carried_sat", lambda _self, _left: 0)
    monkeypatch.setattr(Stock, "payment", paid_without_a_look)
    monkeypatch.setattr(sizing, "fee_included", lambda *_: 0)
    report = with_(2, KeepsChange, TakesAndVanishes)
    assert report.max_loss_chunks_client > 1
    assert not report.good


async def paid_without_a_look(stock: Stock, mint: str, sat: int, _room: object) -> object:
    return await stock._wallet.pay_locked(mint, sat, stock.grade.key)


def test_a_client_that_settles_twice_leaves_nothing_at_the_mint() -> None:
    """All outputs that a mint signed for it are in its wallet."""
    report = with_(5, SettlesMore, locks="off")
    assert not report.notes
    assert report.unaccounted_msat == 0


def test_it_prints_one_object() -> None:
    found = printed("bench.market", "--sessions", "9", "--jobs", "1", "--json")
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
