"""A ghost with its desk in front of a real HTTP provider: what the operator does and is told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trio

from engine.config import NodeConfig
from engine.errors import ConfigError, GhostError, Peer2PromptError, ProviderError
from engine.exit.desk import Desk
from engine.exit.handlers import GhostHandlers
from engine.exit.keys import NAMESPACE
from engine.exit.payout import Payouts
from engine.exit.policy import GhostTerms
from engine.exit.service import GhostService
from engine.exit.settings import GhostConfig, parse_ghost
from engine.exit.settings_models import Costs
from engine.settings_table import Table
from engine.wire.sheet import Sheet
from tests.helpers.market_fakes import MINT
from tests.helpers.market_world import HI, NOW, World, world
from tests.helpers.provider_fake import TEXT, FakeProvider
from wallet.errors import StoreFull
from wallet.store import KeyFile, Store

pytestmark = pytest.mark.trio
MODEL = "fake-model"
RATE = {"sat_per_usd": 1_000, "rate_on": "2027-01-10"}
GOOD, BAD = "sk-good", "sk-bad"


def settings(url: str, **more: Any) -> GhostConfig:
    data: dict[str, Any] = {
        "mints": [MINT],
        "upstreams": [{"url": url, "key": "main"}],
        "models": [{"name": MODEL, "in_usd": 1, "out_usd": 4, "max_out": 100}],
        "prices": {**RATE, "mode": "margin", "margin_percent": 0},
        **more,
    }
    return parse_ghost(Table(data, "ghost."), Path("/"))


class Shop:
    """A ghost behind its desk, in a world with clients."""

    def __init__(self, w: World, desk: Desk, provider: FakeProvider) -> None:
        self.w = w
        self.desk = desk
        self.provider = provider
        self.offered: list[GhostTerms] = []
        w.ghost = GhostService(
            identity=w.identity,
            wallet=w.earner,
            store=w.ghost_store,
            backend=desk.upstreams.backend,
            terms=desk.terms,
            admission=desk.door,
            on_refusal=desk.count_refusal,
            offers_now=desk.offers_now,
            now=lambda: NOW,
        )
        desk.on_offer = self._offer

    def _offer(self, terms: GhostTerms) -> None:
        self.offered.append(terms)
        self.w.ghost.serve_by(terms)

    @property
    def sheet(self) -> Sheet:
        return Sheet.decode(self.w.ghost.sheet())

    async def ask(self) -> str:
        return (await self.w.asker().ask(HI, MODEL)).answer

    async def refusal(self) -> GhostError:
        before = self.w.money
        with pytest.raises(GhostError) as caught:
            await self.ask()
        assert self.w.money == before
        assert "onion" not in str(caught.value)
        return caught.value


@asynccontextmanager
async def shop(folder: Path, key: str = GOOD, **more: Any) -> AsyncIterator[Shop]:
    secret = KeyFile(folder / "key", create=True)
    provider = FakeProvider(key=GOOD)
    async with (
        await Store.open(folder / "store.db", secret, create=True) as store,
        trio.open_nursery() as nursery,
    ):
        await nursery.start(provider.run)
        if await store.secrets.get(NAMESPACE, "main") is None:
            await store.secrets.put(NAMESPACE, "main", key.encode())
        desk = await Desk.open(settings(provider.url, **more), store, now=lambda: NOW)
        async with world() as w:
            w.ghost_scope.cancel()
            made = Shop(w, desk, provider)
            await w.start_ghost()
            yield made
            await desk.aclose()
        nursery.cancel_scope.cancel()


async def test_it_answers_and_counts(tmp_path: Path) -> None:
    async with shop(tmp_path) as s:
        assert await s.ask() == TEXT
        (cost,) = await s.desk.store.ghost.costs()
        assert (cost.model, cost.answers) == (MODEL, 1)
        assert cost.micro_usd == cost.tokens_in * 1 + cost.tokens_out * 4
        assert cost.cost_msat == cost.micro_usd
        assert s.desk.queue.running == 0
        assert s.desk.warnings() == []
        assert s.desk.upstreams.lists() == []  # nobody is paid for an own machine


async def test_books_that_cannot_be_written_cost_nothing_and_end_no_session(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first question finds it out, the others are refused at the door; then it passes."""

    async def full(*_args: object, **_more: object) -> int:
        await trio.lowlevel.checkpoint()
        raise StoreFull("The disk is full.")

    async with shop(tmp_path) as s:
        asker = s.w.asker()
        await asker.open()
        book, earnings = s.desk.store.ghost, s.w.ghost_store.earnings
        for place, name in ((book, "begin"), (book, "refused"), (earnings, "add")):
            monkeypatch.setattr(place, name, full)
        for trouble in (None, StoreFull("The disk is full.")):
            s.desk.store.trouble = trouble
            with pytest.raises(GhostError, match="no questions now") as caught:
                await asker.ask(HI, MODEL)
            assert (caught.value.reason, caught.value.retry_after_s) == ("busy", 60)
            assert "disk" not in str(caught.value)
        monkeypatch.undo()
        s.desk.store.trouble = None
        assert (await asker.ask(HI, MODEL)).answer == TEXT
        assert s.desk.queue.running == 0


async def test_a_refused_key_takes_the_model_out_until_it_is_changed(tmp_path: Path) -> None:
    async with shop(tmp_path, BAD) as s:
        assert s.sheet.models
        with pytest.raises(ProviderError) as caught:
            await s.ask()
        assert caught.value.kind == "auth"
        assert s.sheet.models == (await s.w.ghost.quote())[0].models == ()
        assert len(s.offered) == 1
        (warning,) = s.desk.warnings()
        assert "key" in warning
        assert BAD not in warning
        assert "not serve" in (await s.refusal()).message
    async with shop(tmp_path) as s:
        assert s.desk.door.barred == {MODEL}
        assert s.sheet.models == ()
        await s.desk.change_key("main", f" {GOOD}\n")
        assert s.sheet.models
        assert await s.ask() == TEXT
        assert s.desk.warnings() == []


async def test_resume_goes_on_with_the_same_key(tmp_path: Path) -> None:
    async with shop(tmp_path, BAD) as s:
        with pytest.raises(Peer2PromptError):
            await s.ask()
        await s.desk.resume()
        assert s.desk.door.barred == frozenset()
        assert s.sheet.models


async def test_a_pause_holds_over_a_restart(tmp_path: Path) -> None:
    async with shop(tmp_path) as s:
        old = s.w.asker()
        await old.open()
        await s.desk.pause()
        assert s.sheet.models == ()
        with pytest.raises(GhostError, match="takes no questions"):
            await old.ask(HI, MODEL)
    async with shop(tmp_path) as s:
        assert s.sheet.models == ()
        assert "paused" in s.desk.warnings()[0]
        await s.desk.resume()
        assert await s.ask() == TEXT


async def test_a_day_that_is_spent(tmp_path: Path) -> None:
    async with shop(tmp_path, caps={"usd_per_day": "0.0001"}) as s:
        refused = await s.refusal()
        assert refused.reason == "cap_reached"
        assert 0 < (refused.retry_after_s or 0) <= 86_400
        assert await s.desk.store.ghost.refusals() == {"cap_reached": 1}
        assert not s.provider.requests


async def test_a_full_line(tmp_path: Path) -> None:
    async with shop(tmp_path, caps={"concurrent": 1, "queue": 0}) as s:
        slot = await s.desk.queue.enter(b"somebody")
        assert slot is not None
        refused = await s.refusal()
        assert refused.reason == "busy"
        assert refused.retry_after_s
        slot.release()
        assert await s.ask() == TEXT


async def test_a_question_that_is_not_wanted(tmp_path: Path) -> None:
    rules = tmp_path / "rules.txt"
    rules.write_text("illicit: onion\n")
    policy = {"moderation": "rules", "rules": str(rules), "refuse": ["illicit"]}
    async with shop(tmp_path, policy=policy) as s:
        refused = await s.refusal()
        assert refused.reason == "moderated"
        assert not s.provider.requests
        assert s.desk.terms.policy.refused == ("illicit",)


async def test_prices_change_while_it_runs(tmp_path: Path) -> None:
    async with shop(tmp_path) as s:
        before = (await s.w.ghost.quote())[0].models[0]
        config = s.desk.config
        dearer = replace(config, prices=replace(config.prices, margin_percent=50))
        await s.desk.use(dearer)
        now = (await s.w.ghost.quote())[0].models[0]
        assert now.out_price * 2 == before.out_price * 3
        assert s.sheet.models == (now,)


async def test_a_rate_that_has_grown_old_is_told_and_said_again(tmp_path: Path) -> None:
    async with shop(tmp_path) as s:
        file = tmp_path / "config.toml"
        file.write_text(BY_COSTS.format(mint=MINT, url=s.provider.url))
        node = NodeConfig(tmp_path, frozenset({"ghost"}), file)
        payouts = Payouts(s.w.earner, s.desk.store, lambda: s.desk.config.payout, now=s.desk.now)  # type: ignore[arg-type]
        handlers = GhostHandlers(node, s.desk, s.w.ghost, payouts)
        await handlers.set_prices({"margin_percent": 5})
        (warning,) = (await handlers.status({})).warnings
        assert "1000 sat a dollar" in warning
        assert "45 days old" in warning
        shown = await handlers.set_prices({"sat_per_usd": 1_100})
        assert (shown.sat_per_usd, shown.rate_on) == (1_100, "2027-01-15")
        assert (await handlers.status({})).warnings == []
        await handlers.set_prices({"models": {MODEL: {"cached_usd": "0.5"}}})
        assert s.desk.config.offers[0].costs == Costs(1_000_000, 4_000_000, 500_000, 4_000_000)
        await handlers.set_prices({"mode": "fixed", "models": {MODEL: {"in_price": 1_200_000}}})
        await handlers.set_prices({"models": {MODEL: {"out_price": 4_000_000}}})
        (warning,) = (await handlers.status({})).warnings
        assert "Below what the provider asks" in warning
        await handlers.set_prices({"sat_per_usd": 0})
        assert "rate" not in file.read_text()


async def test_prices_rise_with_the_load_and_stay_below_the_sheet(tmp_path: Path) -> None:
    prices = {"mode": "demand", "sat_per_usd": 1_000, "rise_percent": 100}
    async with shop(tmp_path, prices=prices, caps={"concurrent": 2}) as s:
        idle = (await s.w.ghost.quote())[0].models[0]
        one = await s.desk.queue.enter(b"a")
        busy = (await s.w.ghost.quote())[0].models[0]
        two = await s.desk.queue.enter(b"b")
        full = (await s.w.ghost.quote())[0].models[0]
        assert idle.in_price < busy.in_price < full.in_price == s.sheet.models[0].in_price
        assert s.sheet.allows((await s.w.ghost.quote())[0])
        assert one is not None
        assert two is not None
        one.release()
        two.release()
        assert (await s.w.ghost.quote())[0].models[0] == idle


async def test_broken_rules_change_nothing(tmp_path: Path) -> None:
    async with shop(tmp_path) as s:
        config = s.desk.config
        policy = replace(config.policy, moderation="rules", rules=tmp_path / "none")
        with pytest.raises(ConfigError):
            await s.desk.use(replace(config, policy=policy))
        assert s.desk.config is config
        assert await s.ask() == TEXT


BY_COSTS = """\
roles = ["ghost"]
[link]
listen = "127.0.0.1:1"
[ghost]
mints = ["{mint}"]
[[ghost.upstreams]]
url = "{url}"
key = "main"
[[ghost.models]]
name = "fake-model"
in_usd = "1"
out_usd = "4"
[ghost.prices]
mode = "margin"
margin_percent = 0
sat_per_usd = 1000
rate_on = 2026-12-01
"""
CONFIG = """\
# mine
roles = ["ghost"]
[link]
listen = "127.0.0.1:1"
[ghost] # the ghost
mints = ["{mint}"]
models = ["fake-model"] # one
in_price = 5
out_price = 7
[[ghost.upstreams]]
url = "{url}"
key = "main"
"""


async def test_changes_go_into_the_settings_and_keep_the_rest(tmp_path: Path) -> None:
    async with shop(tmp_path) as s:
        file = tmp_path / "config.toml"
        file.write_text(CONFIG.format(mint=MINT, url=s.provider.url))
        node = NodeConfig(tmp_path, frozenset({"ghost"}), file)
        payouts = Payouts(s.w.earner, s.desk.store, lambda: s.desk.config.payout, now=s.desk.now)  # type: ignore[arg-type]
        handlers = GhostHandlers(node, s.desk, s.w.ghost, payouts)
        shown = await handlers.set_prices({"models": {MODEL: {"out_price": 9}}})
        assert (shown.models[0].in_price, shown.models[0].out_price) == (5, 9)
        await handlers.set_policy({"jurisdiction": "CH", "images": True})
        text = file.read_text()
        assert "# mine" in text
        assert "# the ghost" in text
        assert s.sheet.models[0].out_price == 9
        assert "images" in s.sheet.models[0].features
        assert (await handlers.policy({})).jurisdiction == "CH"
        before = file.read_bytes()
        with pytest.raises(ConfigError):
            await handlers.set_prices({"mode": "margin"})
        with pytest.raises(ConfigError, match="no model"):
            await handlers.set_prices({"models": {"other": {"out_price": 1}}})
        assert file.read_bytes() == before
        status = await handlers.status({})
        assert (status.models, status.keys, status.paused) == ([MODEL], ["main"], False)
        assert [one.state for one in status.upstreams] == ["well"]
        assert status.engines == []  # a provider computes
        given = {"tokens_per_day": 5_000, "concurrent": 2, "usd_per_day": None}
        caps = await handlers.set_caps(given)
        assert (caps.tokens_per_day, caps.concurrent, caps.usd_per_day) == (5_000, 2, None)
        assert s.desk.queue.limit == 2
        with pytest.raises(ConfigError, match="costs"):
            await handlers.set_caps({"usd_per_day": "5"})
        caps = await handlers.set_caps({"usd_per_day": "0", "tokens_per_day": 0})
        assert (caps.tokens_per_day, caps.concurrent, caps.usd_per_day) == (None, 2, None)
        assert "usd_per_day" not in file.read_text()
        earned = await handlers.earnings({})
        assert (len(earned.hours), len(earned.days)) == (24, 30)
