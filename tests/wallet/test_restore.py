"""The seed words find ecash that was signed after a long row of refused requests, too."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.wallet.fake_mint import URL, FakeMint, Refused
from tests.wallet.support import a_wallet, available, fake_wallet, fund, open_store
from wallet.errors import MintError
from wallet.restore import FAR_BATCH, FAR_GAP, GAP
from wallet.wallet import Wallet

pytestmark = [pytest.mark.trio, pytest.mark.usefixtures("quick")]
COINS = 80


async def refused_swaps(wallet: Wallet, mint: FakeMint, times: int) -> None:
    """Each uses up more than COINS counters, of which the mint signs none."""

    def refuse(path: str) -> None:
        if path == "/v1/swap":
            raise Refused(12001, "out of order")

    mint.before = refuse
    for _ in range(times):
        with pytest.raises(MintError):
            await wallet.split_ahead(URL, [1] * COINS)
    mint.before = None


@pytest.mark.parametrize("times", [0, GAP // COINS + 2, (FAR_GAP - FAR_BATCH) // COINS])
async def test_what_lies_behind_a_gap_is_found(
    tmp_path: Path, fake_mint: FakeMint, times: int
) -> None:
    async with fake_wallet(tmp_path, "a", fake_mint, fund_sat=200) as alice:
        words = await alice.seed_words()
        await refused_swaps(alice, fake_mint, times)
        assert await fund(alice, URL, 77) == 77
    async with await open_store(tmp_path, "b") as store:
        await store.secrets.put_if_absent("wallet", "words", words.encode())
        again = Wallet(store, lambda _url: fake_mint)
        await again.open()
        await again.add_mint(URL)
        fake_mint.asked.clear()
        assert (await again.restore(URL)).recovered_sat == 277
        assert await available(again) == 277 == fake_mint.outstanding
        assert fake_mint.asked.count("/v1/restore") < 16
        assert await fund(again, URL, 9) == 9, "counters are ahead of all that was signed"
        await again.aclose()


async def test_a_mint_that_has_signed_nothing_is_asked_little(
    tmp_path: Path, fake_mint: FakeMint
) -> None:
    async with a_wallet(tmp_path, "a", URL, transport=fake_mint) as alice:
        await alice.restore(URL)
        assert fake_mint.asked.count("/v1/restore") == GAP // 100 + (FAR_GAP - GAP) // FAR_BATCH
