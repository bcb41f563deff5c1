"""What an offer says of a file, and questions that its model cannot take."""

from __future__ import annotations

import pytest

from engine.exit.admission import Question
from engine.exit.backends.llama_cpp.settings import LlamaSettings
from engine.exit.local_models import LocalFacts, examination, facts_of
from engine.market.commands import Admitted, Refusal
from engine.wire.session import Ask
from tests.helpers.market_fakes import ScriptedBackend
from tests.helpers.small_model import needs_model, request, served
from tui.demo.provider_server import MODEL_SHA256

pytestmark = [pytest.mark.trio, needs_model]


async def test_facts_and_refusals() -> None:
    async with served(LlamaSettings(context=256, parallel=1, queue=0)) as backend:
        facts = await facts_of({"small": backend, "other": ScriptedBackend()})
        assert facts == {"small": LocalFacts(bytes.fromhex(MODEL_SHA256), 256)}
        gate = examination(backend)

        def asked(text: str) -> Question:
            return Question(bytes(32), Ask(1, "small", b"{}"), Admitted(1, request(text)))

        assert await gate(asked("What is an onion?")) is None
        refusal = await gate(asked("onion " * 300))
        assert isinstance(refusal, Refusal)
        assert refusal.code == "provider_too_long"
        assert "takes 256 with the answer" in refusal.message
        events = backend.stream_chat(request("A story!", tokens=200))
        await anext(events)
        full = await gate(asked("Hi"))
        assert isinstance(full, Refusal)
        assert (full.code, full.after) == ("busy", 10)
        assert "queue" in full.message
        await events.aclose()
