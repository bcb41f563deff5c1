"""A program of somebody else: an agent with tools, by Pydantic AI. Knows nothing of Peer2Prompt but
the address and the key in its environment. Prints what came of it as JSON."""

from __future__ import annotations

import json
import sys

from pydantic import BaseModel
from pydantic_ai import Agent  # type: ignore[import-not-found,unused-ignore]

MODEL = f"{sys.argv[1]}:able"
agent = Agent(MODEL, instructions="Be brief.")
called: list[str] = []


@agent.tool_plain
def layers(vegetable: str) -> int:
    """How many layers a vegetable has."""
    called.append(f"layers of {vegetable}")
    return 7


@agent.tool_plain
def price(vegetable: str, count: int) -> int:
    """What so many of a vegetable cost, in sat."""
    called.append(f"price of {count} {vegetable}")
    return 14


class Vegetable(BaseModel):
    """The typed answer."""

    name: str
    layers: int


first = agent.run_sync("Ask layers first, then price.")
second = agent.run_sync("repeat: thanks", message_history=first.all_messages())
typed = Agent(MODEL, output_type=Vegetable).run_sync("An onion?")
with agent.run_stream_sync("What is an onion?") as stream:
    streamed = "".join(stream.stream_text(delta=True))
print(
    json.dumps(
        {
            "called": called,
            "said": first.output,
            "requests": first.usage.requests,
            "then": second.output,
            "typed": typed.output.model_dump(),
            "streamed": streamed,
        }
    )
)
