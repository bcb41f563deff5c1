"""A mint that shows one asker keys of its own can mark every coin: it is found out by asking again
on a way on which it cannot know the wallet."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from tests.wallet.fake_mint import URL, FakeMint, Json, Keys
from tests.wallet.support import fund, open_store
from wallet.ecash import keysets
from wallet.errors import MintLied, MintUnreachable
from wallet.wallet import Wallet

pytestmark = pytest.mark.trio


class Stranger(httpx.AsyncBaseTransport):
    """The second way: the same mint, which does not know who asks."""

    def __init__(self, mint: FakeMint) -> None:
        self.mint = mint
        self.asked: list[str] = []
        self.down = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url.path)
        if self.down:
            raise httpx.ConnectError("down")
        tamper, self.mint.tamper = self.mint.tamper, None
        try:
            return await self.mint.handle_async_request(request)
        finally:
            self.mint.tamper = tamper


@asynccontextmanager
async def seen_twice(tmp_path: Path, fake_mint: FakeMint) -> AsyncIterator[tuple[Wallet, Stranger]]:
    """A wallet that reaches its mint on two ways, and the second of them."""
    stranger = Stranger(fake_mint)
    async with await open_store(tmp_path) as store:
        wallet = Wallet(store, lambda _url: fake_mint, second=lambda _url: stranger)
        await wallet.open()
        yield wallet, stranger


async def test_keys_for_one_asker_alone(tmp_path: Path, fake_mint: FakeMint) -> None:
    marked = Keys("for alice only")

    def mark(path: str, answer: Json) -> Json:
        if path == "/v1/keysets":
            answer["keysets"].append({**answer["keysets"][0], "id": marked.id})
        return answer

    async with seen_twice(tmp_path, fake_mint) as (wallet, stranger):
        fake_mint.tamper = mark
        with pytest.raises(MintLied, match="different askers"):
            await wallet.add_mint(URL)
        assert wallet.mints() == []
        fake_mint.tamper = None
        await wallet.add_mint(URL)
        assert await fund(wallet, URL, 32) == 32
        fake_mint.tamper = mark
        with pytest.raises(MintLied):
            await wallet.refresh_mint(URL)
        fake_mint.tamper = None
        # Only keys are asked for there, never anything of ours.
        assert set(stranger.asked) == {"/v1/keysets"}
        stranger.down = True
        with pytest.raises(MintUnreachable):
            await wallet.refresh_mint(URL)
        await wallet.aclose()


async def test_keys_that_change_between_the_questions_are_no_lie(
    tmp_path: Path, fake_mint: FakeMint
) -> None:
    async with seen_twice(tmp_path, fake_mint) as (wallet, _):
        await wallet.add_mint(URL)
        answered: list[str] = []

        def rotate(path: str, answer: Json) -> Json:
            if path == "/v1/keysets" and not answered:
                answered.append(path)
                fake_mint.rotate()
            return answer

        fake_mint.tamper = rotate
        await wallet.refresh_mint(URL)
        await wallet.aclose()


def _made_to_collide(_keys: Mapping[int, bytes]) -> str:
    return "00" + "c" * 14


async def test_other_keys_under_the_same_short_id(
    tmp_path: Path, fake_mint: FakeMint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ids of version 1 have 56 bits: two sets of keys with one of them can be found. Here that is
    taken as done."""
    monkeypatch.setattr(keysets, "derive_id_v1", _made_to_collide)
    fake_mint.keys.id = _made_to_collide({})
    marked = {str(a): k.hex() for a, k in Keys("for alice only").public.items()}

    def mark(path: str, answer: Json) -> Json:
        if path.startswith("/v1/keys/"):
            answer["keysets"][0]["keys"] = marked
        return answer

    async with seen_twice(tmp_path, fake_mint) as (wallet, _):
        fake_mint.tamper = mark
        with pytest.raises(MintLied, match="different askers"):
            await wallet.add_mint(URL)
        fake_mint.tamper = None
        await wallet.add_mint(URL)
        assert await fund(wallet, URL, 32) == 32
        # Nor does one that was known get other keys later.
        fake_mint.tamper = mark
        fake_mint.keys.active = False
        fake_mint.keysets.append(Keys("next"))
        fake_mint.keysets[0].fee_ppk = 100
        with pytest.raises(MintLied, match="not belong"):
            await wallet.refresh_mint(URL)  # marks the keys of the next, too
        fake_mint.tamper = None
        await wallet.refresh_mint(URL)
        old = next(k for k in wallet._mints.keysets(URL) if k.id == fake_mint.keysets[0].id)
        assert (old.active, old.input_fee_ppk) == (False, 100)
        assert await wallet.renew(URL) > 0, "its coins are still good"
        await wallet.aclose()
