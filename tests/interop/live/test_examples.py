"""The programs of docs/api.md, run as they stand there: both clients, and an agent with tools."""

from __future__ import annotations

import pytest

from tests.interop.live.conftest import Tools
from tests.interop.live.examples import blocks

SAID = {
    "from openai": "An onion is a bulb",
    "from anthropic": "An onion is a bulb",
    "from pydantic_ai": "The tools found: 7; 14",
}
"""How an example begins, and what it prints."""


@pytest.mark.parametrize("number", range(len(SAID)))
def test_an_example_runs_as_it_stands(tools: Tools, number: int) -> None:
    examples = blocks("python")
    assert len(examples) == len(SAID)
    begins = next(head for head in SAID if head in examples[number])
    program = tools.home / "example.py"
    program.write_text(examples[number])
    assert SAID[begins] in tools.run("python", str(program))
