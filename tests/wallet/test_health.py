"""How a mint is doing, what should worry, and moving ecash away from it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.mint import RealMint
from tests.helpers.mint_proxy import MintProxy
from tests.wallet.fake_mint import URL, FakeMint, Json, Keys, an_invoice
from tests.wallet.support import a_wallet, available, fake_wallet, fund
from wallet.ecash.keysets import Keyset
from wallet.errors import BadAmount, MintError, MintProblem, MintUnreachable
from wallet.health import REFUSED_PAYMENTS, SOON_S, Health, warnings
from wallet.types import RestoreReport

NOW = 1_800_000_000.0
KEYS = Keyset("00ab", "sat", True, 0, None, {1: b""})


def keyset(*, active: bool = True, expiry: int | None = None) -> Keyset:
    return Keyset("00ab", "sat", active, 0, expiry, {1: b""})


def test_a_mint_that_is_well_gives_no_cause() -> None:
    health = Health()
    assert (health.latency_ms, health.failures_percent) == (None, 0)
    for latency in (10.0, 30.0, 20.0):
        health.answered(latency)
    assert health.latency_ms == 20
    assert warnings(health, [keyset(), keyset(active=False)], [], NOW) == []


@pytest.mark.parametrize(
    ("keysets", "disabled", "words"),
    [
        ([keyset(active=False)], [], "no keys"),
        ([keyset(expiry=int(NOW) + SOON_S // 2)], [], "ends in 7 days"),
        ([keyset(expiry=int(NOW) - 5)], [], "ends in 0 days"),
        ([KEYS], [5], "pays no invoices"),
        ([KEYS], [4], "no new money"),
    ],
)
def test_what_a_mint_says_itself(keysets: list[Keyset], disabled: list[int], words: str) -> None:
    (warning,) = warnings(Health(), keysets, disabled, NOW)
    assert words in warning


def test_what_it_does() -> None:
    health = Health()
    for _ in range(4):
        health.failed()
    assert warnings(health, [KEYS], [], NOW) == []  # too few to say
    health.failed()
    assert "100 %" in warnings(health, [KEYS], [], NOW)[0]
    health = Health(refused_payments=REFUSED_PAYMENTS)
    assert "refused the last 3" in warnings(health, [KEYS], [], NOW)[0]


@pytest.mark.trio
@pytest.mark.usefixtures("quick")
async def test_refused_payments_are_counted(tmp_path: Path, fake_mint: FakeMint) -> None:
    fake_mint.melt_state = "UNPAID"
    async with fake_wallet(tmp_path, "a", fake_mint, 300) as alice:
        for _ in range(REFUSED_PAYMENTS):
            quote = await alice.melt_quote(URL, an_invoice(20))
            with pytest.raises(MintError):
                await alice.melt(quote.quote_id)
        (balance,) = await alice.balances()
        assert "refused" in balance.warnings[0]
        assert balance.available_sat == 300


@pytest.mark.trio
async def test_a_mint_is_looked_at_before_it_is_trusted(
    tmp_path: Path, real_mint: RealMint
) -> None:
    async with a_wallet(tmp_path, "a") as alice:
        facts = await alice.look_at_mint(real_mint.url + "/")
        assert (facts.url, facts.name) == (real_mint.url, "Cashu mint")
        assert set(facts.nuts) >= {4, 5, 7, 9, 11, 12}
        assert "Nutshell" in facts.version
        assert alice.mints() == []


@pytest.mark.trio
async def test_ecash_moves_from_mint_to_mint(
    tmp_path: Path, real_mint: RealMint, fee_mint: RealMint
) -> None:
    async with a_wallet(tmp_path, "a", real_mint.url, fee_mint.url, fund_sat=200) as alice:
        moved = await alice.move(real_mint.url, fee_mint.url, 100)
        assert (moved.amount_sat, moved.arrived) == (100, True)
        assert await available(alice) == 200 - moved.cost_sat
        with pytest.raises(BadAmount):
            await alice.move(real_mint.url, real_mint.url, 1)


@pytest.mark.trio
@pytest.mark.usefixtures("quick")
async def test_what_was_paid_while_nobody_looked_is_collected(
    tmp_path: Path, fake_mint: FakeMint
) -> None:
    async with fake_wallet(tmp_path, "a", fake_mint) as alice:
        await alice.request_mint(URL, 40)
        fake_mint.down = True
        assert await alice.collect() == 0
        fake_mint.down = False
        assert await alice.collect() == 40
        assert await alice.collect() == 0
        assert await available(alice) == 40


@pytest.mark.trio
@pytest.mark.usefixtures("quick")
async def test_all_mints_are_searched_although_one_is_down(
    tmp_path: Path, proxy: MintProxy, fee_mint: RealMint
) -> None:
    told: list[RestoreReport] = []
    async with a_wallet(tmp_path, "a", proxy.url, fee_mint.url) as alice:
        await fund(alice, fee_mint.url, 40)
        await alice._store.run(lambda tx: tx.execute("DELETE FROM proofs"))
        proxy.down = True
        with pytest.raises(MintUnreachable):
            await alice.restore_all(told.append)
        down, up = told
        assert (down.mint, down.recovered_sat) == (proxy.url, 0)
        assert proxy.url in down.trouble
        assert (up.mint, up.recovered_sat, up.trouble) == (fee_mint.url, 40, "")
        proxy.down = False
        assert len(await alice.restore_all(told.append)) == 2
        assert await available(alice) == 40


@pytest.mark.trio
async def test_new_keys_are_learned(tmp_path: Path, fake_mint: FakeMint) -> None:
    async with fake_wallet(tmp_path, "a", fake_mint, 50) as alice:
        fake_mint.rotate()
        await alice.refresh_mint(URL)
        token = await alice.send(URL, 7)
        assert await alice.receive(token) == 7
        with pytest.raises(MintProblem):
            await alice.refresh_mint("https://other.example")


@pytest.mark.trio
async def test_health_is_remembered_by_the_next_run(tmp_path: Path, fake_mint: FakeMint) -> None:
    async with fake_wallet(tmp_path, "a", fake_mint) as alice:
        fake_mint.down = True
        for _ in range(20):
            with pytest.raises(MintProblem):
                await alice.refresh_mint(URL)
        (before,) = await alice.balances()
        await alice.keep_health()
    async with fake_wallet(tmp_path, "a", fake_mint) as alice:
        (after,) = await alice.balances()
        assert after.failures_percent == before.failures_percent > 50
        assert after.latency_ms == before.latency_ms is not None
        assert after.warnings == before.warnings != ()


@pytest.mark.trio
async def test_a_keyset_that_is_listed_no_more_signs_nothing_and_its_coins_are_swapped(
    tmp_path: Path, fake_mint: FakeMint
) -> None:
    async with fake_wallet(tmp_path, "a", fake_mint, 50) as alice:
        old = fake_mint.keys
        fake_mint.rotate()

        def leave_out(path: str, answer: Json) -> Json:
            if path == "/v1/keysets":
                answer["keysets"] = [k for k in answer["keysets"] if k["id"] != old.id]
            return answer

        fake_mint.tamper = leave_out
        await alice.refresh_mint(URL)
        assert {k.id: k.active for k in alice._mints.keysets(URL)} == {
            old.id: False,
            fake_mint.keys.id: True,
        }
        assert await available(alice) == 50
        assert await alice.renew(URL) == 50
        heaps = await alice._store.run(lambda tx: tx.proofs.heaps(URL))
        assert {keyset for _, keyset, _ in heaps} == {fake_mint.keys.id}
        assert await alice.renew(URL) == 0
        fake_mint.tamper = None
    async with fake_wallet(tmp_path, "a", fake_mint) as again:
        assert {k.id for k in again._mints.keysets(URL) if k.active} == {fake_mint.keys.id}


@pytest.mark.trio
async def test_ecash_of_a_keyset_that_ends_is_swapped_ahead(
    tmp_path: Path, fake_mint: FakeMint
) -> None:
    """And only that: lasting coins, and coins whose end is far, are left alone."""
    async with fake_wallet(tmp_path, "a", fake_mint) as alice:
        now = int(alice._store.clock())
        soon = Keys("soon", fee_ppk=100, final_expiry=now + SOON_S // 2)
        far = Keys("far", fee_ppk=100, active=False, final_expiry=now + 9 * SOON_S)
        fake_mint.keysets[0].active = False
        fake_mint.keysets += [soon, far]
        await alice.refresh_mint(URL)
        await fund(alice, URL, 100)
        assert await alice.renew(URL) == 0, "there is nothing to swap them for"
        soon.active, far.active = False, True
        await alice.refresh_mint(URL)
        await fund(alice, URL, 50)
        far.active = False
        new = Keys("new")
        fake_mint.keysets.append(new)
        await alice.refresh_mint(URL)
        renewed = await alice.renew(URL)
        assert renewed + fake_mint.fees == 100
        assert 0 < fake_mint.fees < 3
        heaps = await alice._store.run(lambda tx: tx.proofs.heaps(URL))
        assert {keyset for _, keyset, _ in heaps} == {new.id, far.id}
        assert await available(alice) == renewed + 50
        asked = len(fake_mint.asked)
        assert await alice.renew(URL) == 0
        assert len(fake_mint.asked) == asked, "nothing to renew asks nothing"


@pytest.mark.trio
async def test_fresh_coins_for_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has a copy of the store from before has nothing; a swap has only so many inputs."""
    mint = FakeMint(fee_ppk=100)
    monkeypatch.setattr("wallet.handover.RENEWED_AT_ONCE", 3)
    async with fake_wallet(tmp_path, "a", mint, 127) as alice:
        old = await alice._store.run(lambda tx: tx.proofs.available(URL))
        assert len(old) > 6
        swapped = await alice.freshen(URL)
        new = await alice._store.run(lambda tx: tx.proofs.available(URL))
        assert not {proof.secret for proof in old} & {proof.secret for proof in new}
        assert await available(alice) == swapped == mint.outstanding == 127 - mint.fees
