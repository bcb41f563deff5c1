"""A request that the wallet has given up, and that the mint still carries out, at the worst moment.

That moment is between two questions of the look that follows: the first finds nothing yet, the
second finds everything done. Also: a refusal that is true of the repeated request and not of the
first one. In both the ecash must come out whole.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.wallet.fake_mint import URL, FakeMint
from tests.wallet.support import SESSION, available, fake_wallet, fund, not_available
from wallet.errors import WalletError

pytestmark = [pytest.mark.trio, pytest.mark.usefixtures("quick")]
QUESTIONS = ["/v1/checkstate", "/v1/restore"]


def late(mint: FakeMint, path: str, arrives_at: str) -> None:
    """The next request to `path` is late: it arrives just before the next one to `arrives_at`."""
    faults = ["late"]
    mint.faults = lambda asked: faults.pop() if asked == path and faults else ""

    def before(asked: str) -> None:
        if asked.startswith(arrives_at):
            mint.deliver()

    mint.before = before


@pytest.fixture(autouse=True)
def coarse(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wallet.ecash.amounts.WANTED_EACH", 0)


@pytest.mark.parametrize("question", QUESTIONS)
async def test_swap(tmp_path: Path, fake_mint: FakeMint, question: str) -> None:
    async with fake_wallet(tmp_path, "a", fake_mint, 64) as alice:
        late(fake_mint, "/v1/swap", question)
        token = await alice.send(URL, 33)
        assert await available(alice) == 31
        assert await alice.receive(token) == 33
        assert await available(alice) == fake_mint.outstanding == 64


@pytest.mark.parametrize("question", ["/v1/mint/quote/bolt11/", "/v1/restore"])
async def test_mint(tmp_path: Path, fake_mint: FakeMint, question: str) -> None:
    async with fake_wallet(tmp_path, "a", fake_mint) as alice:
        late(fake_mint, "/v1/mint/bolt11", question)
        assert await fund(alice, URL, 64) == 64
        assert await available(alice) == fake_mint.outstanding == 64


@pytest.mark.parametrize("question", ["/v1/melt/quote/bolt11/", *QUESTIONS])
async def test_melt(tmp_path: Path, fake_mint: FakeMint, question: str) -> None:
    async with fake_wallet(tmp_path, "a", fake_mint, 64) as alice:
        quote = await alice.melt_quote(URL, "lnfake20")
        late(fake_mint, "/v1/melt/bolt11", question)
        await alice.melt(quote.quote_id)
        await alice.recover()
        assert await available(alice) == fake_mint.outstanding == 43
        assert await not_available(alice) == 0


@pytest.mark.parametrize("question", QUESTIONS)
async def test_pay(tmp_path: Path, fake_mint: FakeMint, question: str) -> None:
    """The ghost's swap of our payment is late, and we ask the mint what became of it."""
    async with (
        fake_wallet(tmp_path, "a", fake_mint, 64) as alice,
        fake_wallet(tmp_path, "g", fake_mint) as ghost,
    ):
        payment = await alice.pay_prepare(URL, 10)
        late(fake_mint, "/v1/swap", "/nowhere")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("wallet.executor.ATTEMPTS", 1)
            with pytest.raises(WalletError):
                await ghost.redeem(URL, payment.proofs, 10, payment.outputs, SESSION)
        late(fake_mint, "/nowhere", question)
        await alice.pay_resolve(payment.id)
        await ghost.recover()
        assert await available(alice) + await available(ghost) == fake_mint.outstanding == 64
        assert (await not_available(alice), await not_available(ghost)) == (0, 0)


async def test_a_refusal_of_the_repeated_melt_is_not_believed(
    tmp_path: Path, fake_mint: FakeMint
) -> None:
    """The network repeats our request: the first was carried out, the second is refused with a
    code that sounds final. The wallet must not take the spent ecash for available."""
    async with fake_wallet(tmp_path, "a", fake_mint, 64) as alice:
        quote = await alice.melt_quote(URL, "lnfake20")
        repeated: list[str] = []

        def before(path: str) -> None:
            if path == "/v1/melt/bolt11" and not repeated:
                repeated.append(path)
                fake_mint._answer(path, fake_mint.bodies[-1])

        fake_mint.before = before
        result = await alice.melt(quote.quote_id)
        assert (result.paid, result.change_sat) == (True, 43)
        assert await available(alice) == fake_mint.outstanding == 43
