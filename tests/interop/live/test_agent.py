"""An agent of Pydantic AI, unmodified: several turns with tools in both of OpenAI's forms, a
conversation that goes on, an answer of a given type, a stream."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.helpers.provider_able import ONION
from tests.interop.live.conftest import Tools

PROGRAM = Path(__file__).parent / "programs" / "agent.py"


@pytest.mark.parametrize("form", ["openai-chat", "openai-responses"])
def test_an_agent(tools: Tools, form: str) -> None:
    told = json.loads(tools.run("python", str(PROGRAM), form))
    assert told == {
        "called": ["layers of onion", "price of 21 onion"],
        "said": "The tools found: 7; 14",
        "requests": 3,
        "then": "thanks",
        "typed": {"name": "onion", "layers": 21},
        "streamed": ONION,
    }
