"""Every fault a mint can show, on every request that moves money: nothing lost, nothing twice.

Each case: one fault (or as many as there are attempts), the move succeeds or fails with a clear
error, and after the mint has come to its senses the books balance to the sat.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.helpers import mint_proxy
from tests.helpers.mint import RealMint
from tests.helpers.mint_proxy import MintProxy
from tests.wallet.support import a_wallet, available, not_available
from wallet.errors import MintLied, MintProblem, MintUnreachable, WalletError
from wallet.executor import ATTEMPTS
from wallet.wallet import Wallet

pytestmark = [pytest.mark.trio, pytest.mark.usefixtures("quick")]
TIMEOUT_S = 1.5
FUND_SAT = 200

FAULTS: dict[str, dict[str, Any]] = {
    "http 500": {"kind": "status", "status": 500, "body": b'{"detail": "oops", "code": 0}'},
    "http 502 of a front": {"kind": "status", "status": 502, "body": b"<html>Bad Gateway</html>"},
    "http 429": {"kind": "status", "status": 429, "body": b"slow down"},
    "http 400 in passing": {"kind": "status", "status": 400, "body": b'{"detail": "db locked"}'},
    "timeout before processing": {"kind": "stall_before"},
    "timeout after processing": {"kind": "stall_after"},
    "connection lost before": {"kind": "lose_request"},
    "connection lost after": {"kind": "lose_answer"},
    "cut body": {"kind": "cut_body"},
    "request doubled on the way": {"kind": "twice"},
    "reply to an earlier request": {"kind": "stale"},
    "wrong signatures": {"kind": "mutate", "mutate": mint_proxy.corrupt_point},
    "wrong dleq": {"kind": "mutate", "mutate": mint_proxy.corrupt_dleq},
    "no dleq": {"kind": "mutate", "mutate": mint_proxy.strip_dleq},
    "wrong amounts": {"kind": "mutate", "mutate": mint_proxy.wrong_amounts},
    "unknown keyset": {"kind": "mutate", "mutate": mint_proxy.wrong_keyset},
    "huge json": {"kind": "huge"},
    "slow drip": {"kind": "drip"},
    "not json": {"kind": "status", "status": 200, "body": b"<html></html>"},
    "an empty answer": {"kind": "status", "status": 200, "body": b"{}"},
}

Move = Callable[[Wallet, str, str], Awaitable[int]]


async def mint(wallet: Wallet, url: str, _other: str) -> int:
    """Each move returns by how much the wallet's total changes when it succeeds."""
    quote = await wallet.request_mint(url, 64)
    return await wallet.complete_mint(quote.quote_id)


async def send(wallet: Wallet, url: str, _other: str) -> int:
    await wallet.send(url, 33)
    return -33


async def receive(wallet: Wallet, _url: str, _other: str) -> int:
    (sent,) = await wallet.sent_tokens(1)
    return await wallet.receive(sent.token)


async def melt(wallet: Wallet, url: str, other: str) -> int:
    invoice = (await wallet.request_mint(other, 20)).invoice
    result = await wallet.melt((await wallet.melt_quote(url, invoice)).quote_id)
    assert result.paid
    return -20 - result.fee_sat


MOVES: dict[str, tuple[str, Move]] = {
    "mint": ("/v1/mint/bolt11", mint),
    "send": ("/v1/swap", send),
    "receive": ("/v1/swap", receive),
    "melt": ("/v1/melt/bolt11", melt),
}


@pytest.fixture
def coarse(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few large coins, so that every send needs a swap."""
    monkeypatch.setattr("wallet.ecash.amounts.WANTED_EACH", 0)


@pytest.mark.parametrize("move_name", MOVES)
@pytest.mark.parametrize("fault_name", FAULTS)
@pytest.mark.usefixtures("coarse")
async def test_once(
    tmp_path: Path, proxy: MintProxy, fee_mint: RealMint, fault_name: str, move_name: str
) -> None:
    path, move = MOVES[move_name]
    urls = (proxy.url, fee_mint.url)
    async with a_wallet(tmp_path, "a", *urls, fund_sat=FUND_SAT, timeout_s=TIMEOUT_S) as alice:
        if move_name == "receive":
            await alice.send(proxy.url, 40)
        before = await available(alice)
        options = dict(FAULTS[fault_name])
        proxy.fault(options.pop("kind"), path, **options)
        change: int | None = None
        failure: MintProblem | None = None
        try:
            change = await move(alice, *urls)
        except MintProblem as error:
            failure = error
        assert failure is None or (failure.message and failure.kept)
        proxy.clear()
        await alice.recover()
        assert await not_available(alice) == 0
        assert await alice.recover() == []
        if change is None:
            change = await what_became_of_it(alice, move_name, before)
        assert await available(alice) == before + change


async def what_became_of_it(wallet: Wallet, move_name: str, before: int) -> int:
    """A move that failed was either finished by `recover` or has left everything as it was."""
    after = await available(wallet)
    if move_name == "melt" and after != before:
        newest = (await wallet.history(1))[0]
        assert newest.kind == "melt"
        return newest.amount_sat
    finished = {"mint": 64, "send": -33, "receive": 40, "melt": 0}[move_name]
    return finished if after != before else 0


LASTING = ["http 500", "http 429", "cut body", "timeout after processing", "slow drip"]


@pytest.mark.parametrize("fault_name", LASTING)
@pytest.mark.usefixtures("coarse")
async def test_until_we_give_up(tmp_path: Path, proxy: MintProxy, fault_name: str) -> None:
    """The error is clear, the journal keeps it, and when the mint is well it ends by itself."""
    async with a_wallet(tmp_path, "a", proxy.url, fund_sat=FUND_SAT, timeout_s=TIMEOUT_S) as alice:
        options = dict(FAULTS[fault_name])
        for path in ("/v1/swap", "/v1/restore"):
            proxy.fault(**{**options, "path": path, "times": ATTEMPTS})
        with pytest.raises(MintUnreachable) as caught:
            await alice.send(proxy.url, 33)
        assert caught.value.kept
        assert await available(alice) == 0 or await not_available(alice) > 0
        proxy.clear()
        (note,) = await alice.recover()
        assert note.outcome == "completed"
        assert await available(alice) == FUND_SAT - 33
        (sent,) = await alice.sent_tokens()
        assert await alice.receive(sent.token) == 33


async def test_changed_keys_under_the_same_id(tmp_path: Path, proxy: MintProxy) -> None:
    """A mint that shows other keys than its id commits to is refused, the old keys stay."""

    def swapped(answer: Any) -> Any:
        keys = answer["keysets"][0]["keys"]
        keys["1"], keys["2"] = keys["2"], keys["1"]
        return answer

    async with a_wallet(tmp_path, "a") as alice:
        proxy.fault("mutate", "/v1/keys/", mutate=swapped)
        with pytest.raises(MintLied, match="keyset"):
            await alice.add_mint(proxy.url)
        assert alice.mints() == []
        await alice.add_mint(proxy.url)
        quote = await alice.request_mint(proxy.url, 8)
        assert await alice.complete_mint(quote.quote_id) == 8


@pytest.mark.usefixtures("coarse")
async def test_many_faults_in_a_row(tmp_path: Path, proxy: MintProxy) -> None:
    """Each move meets another fault; only the books at the end matter."""
    async with a_wallet(tmp_path, "a", proxy.url, fund_sat=FUND_SAT, timeout_s=TIMEOUT_S) as alice:
        for name in ("cut body", "http 500", "request doubled on the way", "wrong dleq"):
            options = dict(FAULTS[name])
            proxy.fault(**{**options, "path": "/v1/swap"})
            with suppress(WalletError):
                await alice.receive(await alice.send(proxy.url, 17))
        proxy.clear()
        await alice.recover()
        for sent in await alice.sent_tokens():
            with suppress(WalletError):
                await alice.receive(sent.token)
        assert (await available(alice), await not_available(alice)) == (FUND_SAT, 0)
