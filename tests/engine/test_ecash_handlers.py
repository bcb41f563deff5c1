"""Tokens that are out and waiting for mints, as callers of the control protocol see them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio

from engine.control.protocol.methods import METHODS
from engine.ecash_handlers import EcashHandlers
from tests.wallet.fake_mint import URL, FakeMint
from tests.wallet.support import available, fake_wallet

pytestmark = pytest.mark.trio


@pytest.fixture
def fake_mint() -> FakeMint:
    return FakeMint()


class Caller:
    """Calls as the control server does: parameters checked, defaults filled in."""

    def __init__(self, handlers: EcashHandlers) -> None:
        self.table = handlers.table()

    async def __call__(self, method: str, **params: Any) -> Any:
        spec = METHODS[method]
        checked = msgspec.structs.asdict(msgspec.convert(params, type=spec.params))
        return msgspec.convert(msgspec.to_builtins(await self.table[method](checked)), spec.result)


@asynccontextmanager
async def calling(folder: Path, mint: FakeMint) -> AsyncIterator[tuple[Caller, Any, list[int]]]:
    changes: list[int] = []
    async with fake_wallet(folder, "a", mint, 100) as wallet:
        handlers = EcashHandlers(wallet, changed=lambda: changes.append(1))
        yield Caller(handlers), wallet, changes


async def test_tokens(tmp_path: Path, fake_mint: FakeMint) -> None:
    async with calling(tmp_path, fake_mint) as (call, wallet, changes):
        await wallet.send(URL, 21)
        (token,) = await call("wallet.sent")
        assert (token.state, token.left_sat, token.unit) == ("waiting", 21, "sat")
        assert token.token.startswith("cashuB")
        assert (await call("wallet.sent.check", op_id=token.op_id)).state == "waiting"
        assert (await call("wallet.sent.back", op_id=token.op_id)).amount_sat == 21
        assert changes
        (token,) = await call("wallet.sent")
        assert (token.state, token.token) == ("returned", ""), "a token that is over is not shown"


async def test_a_paid_invoice_is_collected_by_waiting(tmp_path: Path, fake_mint: FakeMint) -> None:
    async with calling(tmp_path, fake_mint) as (call, wallet, changes):
        quote = await wallet.request_mint(URL, 20)
        waited = await call("wallet.wait", kind="fund", id=quote.quote_id, mint=URL)
        assert (waited.state, waited.minted_sat) == ("PAID", 20)
        assert changes
        assert await available(wallet) == 120


async def test_a_wait_is_ended_by_its_handle_and_by_its_time(
    tmp_path: Path, fake_mint: FakeMint
) -> None:
    async with calling(tmp_path, fake_mint) as (call, wallet, changes):
        quote = await wallet.request_mint(URL, 20)
        fake_mint.quotes[quote.quote_id]["state"] = "UNPAID"
        ended: list[Any] = []

        async def wait(handle: str) -> None:
            found = await call("wallet.wait", kind="fund", id=quote.quote_id, handle=handle)
            ended.append((handle, found.state))

        with trio.fail_after(60):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(wait, "one")
                nursery.start_soon(wait, "two")
                await trio.sleep(0.1)
                await call("wallet.wait.stop", handle="two")
                await trio.sleep(0.1)
                assert ended == [("two", "")]
                await call("wallet.wait.stop", handle="two")
                nursery.cancel_scope.cancel()
            over = await call("wallet.wait", kind="fund", id=quote.quote_id, timeout_s=0.05)
            assert (over.state, over.minted_sat) == ("", 0)
        assert changes == []
