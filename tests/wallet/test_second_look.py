"""A mint that shows one asker keys of its own can mark every coin: it is found out by asking again
on a way on which it cannot know the wallet."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from tests.wallet.fake_mint import URL, FakeMint, Json, Keys
from tests.wallet.support import fund, open_store
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


async def test_keys_for_one_asker_alone(tmp_path: Path, fake_mint: FakeMint) -> None:
    marked = Keys("for alice only")

    def mark(path: str, answer: Json) -> Json:
        if path == "/v1/keysets":
            answer["keysets"].append({**answer["keysets"][0], "id": marked.id})
        return answer

    stranger = Stranger(fake_mint)
    async with await open_store(tmp_path) as store:
        wallet = Wallet(store, lambda _url: fake_mint, second=lambda _url: stranger)
        await wallet.open()
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
    stranger = Stranger(fake_mint)
    async with await open_store(tmp_path) as store:
        wallet = Wallet(store, lambda _url: fake_mint, second=lambda _url: stranger)
        await wallet.open()
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
