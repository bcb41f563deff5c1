"""A ghost that serves a file: what its offer says, what its door refuses, what a new key leaves."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from engine.errors import ConfigError
from engine.exit.admission import Granted, Question
from engine.exit.backends.llama_cpp.files import SIDE_FILE
from engine.exit.desk import Desk
from engine.exit.keys import KeyRing
from engine.exit.settings import parse_ghost
from engine.market.commands import Admitted, Refusal
from engine.settings_table import Table
from engine.wire.session import Ask
from tests.helpers.small_model import model_path, needs_model, request
from tui.demo.provider_server import MODEL_SHA256
from wallet.store import Store

pytestmark = [pytest.mark.trio, needs_model]


def settings(**upstream: Any) -> dict[str, Any]:
    own = {"kind": "llama-cpp", "model_file": str(model_path()), "context": 256, "models": ["own"]}
    far = {"url": "http://127.0.0.1:1/v1", "key": "far", "models": ["far"]}
    return {
        "models": ["own", "far"],
        "mints": ["http://127.0.0.1:3338"],
        "upstreams": [{**own, **upstream}, far],
    }


@asynccontextmanager
async def desk_of(base: Path, given: dict[str, Any]) -> AsyncIterator[Desk]:
    config = parse_ghost(Table(given, "ghost."), base, test=True)
    async with await Store.in_memory() as store:
        await KeyRing(store.secrets).put("far", "one")
        desk = await Desk.open(config, store)
        try:
            yield desk
        finally:
            await desk.aclose()


async def test_the_offer_says_which_file(tmp_path: Path) -> None:
    async with desk_of(tmp_path, settings(sha256=MODEL_SHA256)) as desk:
        own, far = desk.offers_now(0.0)
        assert own.weights.hex() == MODEL_SHA256
        assert own.context == 256
        assert own.features == ("embeddings", "json")
        assert (far.weights, far.context) == (b"", 0)
        assert desk.terms.sheet().models[0].weights == own.weights
    assert (tmp_path / SIDE_FILE).exists()
    with pytest.raises(ConfigError, match="SHA-256"):
        async with desk_of(tmp_path, settings(sha256="00" * 32)):
            pass


async def test_what_does_not_fit_is_refused_before_payment(tmp_path: Path) -> None:
    async with desk_of(tmp_path, settings()) as desk:

        def asked(text: str) -> Question:
            return Question(
                bytes(32), Ask(1, "own", b"{}"), Admitted(1, request(text, model="own"))
            )

        refusal = await desk.door.admit(asked("onion " * 300))
        assert isinstance(refusal, Refusal)
        assert refusal.code == "provider_too_long"
        assert "takes 256 with the answer" in refusal.message
        granted = await desk.door.admit(asked("What is an onion?"))
        assert isinstance(granted, Granted)
        granted.place.release()


async def test_a_new_key_leaves_the_model_loaded(tmp_path: Path) -> None:
    async with desk_of(tmp_path, settings()) as desk:
        before = desk.upstreams.pool.backends()
        await desk.keys.put("far", "another")
        await desk.upstreams.renew()
        after = desk.upstreams.pool.backends()
        assert after["own"] is before["own"]
        assert after["far"] is not before["far"]


@pytest.mark.parametrize(
    "wrong", [{"sha256": "abc"}, {"tensor_split": ["x"]}, {"kept_s": 0}, {"flash_attention": "?"}]
)
async def test_settings_that_make_no_sense(wrong: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        parse_ghost(Table(settings(**wrong), "ghost."), tmp_path, test=True)
