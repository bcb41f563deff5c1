"""Real mints for the wallet's tests, started once: one without input fees, one with the usual."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.helpers.mint import RealMint, mint_available
from tests.helpers.mint_proxy import MintProxy
from tests.wallet.fake_mint import FakeMint


def _start(input_fee_ppk: int) -> RealMint:
    if not mint_available():
        pytest.skip("no .venv-mint: the real mint cannot be started here")
    return RealMint(input_fee_ppk=input_fee_ppk)


@pytest.fixture(scope="session")
def real_mint() -> Iterator[RealMint]:
    with _start(0) as mint:
        yield mint


@pytest.fixture(scope="session")
def fee_mint() -> Iterator[RealMint]:
    with _start(100) as mint:
        yield mint


@pytest.fixture
def proxy(real_mint: RealMint) -> Iterator[MintProxy]:
    with MintProxy(real_mint.url) as running:
        yield running


@pytest.fixture
def fake_mint() -> FakeMint:
    return FakeMint()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries without their pauses."""
    monkeypatch.setattr("wallet.executor.BACKOFF_S", 0.001)
