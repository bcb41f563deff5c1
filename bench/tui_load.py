"""A node that keeps a screen busy: answers that stream at a steady rate, circuits that change.

    python -m bench.tui_load SOCKET

Every question is answered with the same prose at `TOKENS_PER_S` tokens a second for as long as it
is wanted; the conversation named "a long one" holds `LONG` messages. Once two questions run,
circuits change `CIRCUIT_EVENTS_PER_S` times a second.
"""

from __future__ import annotations

import random
import sys
import threading
import time
from pathlib import Path
from typing import Any

import trio

from tests.helpers.scripted_node import ScriptedNode, message

TOKENS_PER_S = 50
CIRCUIT_EVENTS_PER_S = 50
LONG = 10_000
LONG_TITLE = "a long one"
LAST_WORDS = "the very end of it"
_SENTENCES = (
    "the of and a relay carries each cell onward while its neighbour waits because no single hop "
    "may learn both who asked and what was asked so the circuit is built one layer at a time with "
    "keys that nobody keeps longer than they must and answers come home by the same road"
)
_WORDS = _SENTENCES.split()


def prose(seed: int, tokens: int) -> list[str]:
    """Tokens of an answer: sentences, paragraphs, now and then a list or some code."""
    dice = random.Random(seed)
    found: list[str] = []
    while len(found) < tokens:
        kind = dice.random()
        if kind < 0.1:
            found += ["\n\n```python\n", "for ", "hop ", "in ", "path:\n", "    cell = ", "seal("]
            found += ["hop, ", "cell)\n", "```\n\n"]
        elif kind < 0.2:
            for _ in range(3):
                found += ["\n- ", *(f"{dice.choice(_WORDS)} " for _ in range(8))]
            found.append("\n\n")
        else:
            found += [f"{dice.choice(_WORDS)} " for _ in range(dice.randint(30, 80))]
            found.append(".\n\n")
    return found[:tokens]


def long_history(now: float) -> list[dict[str, Any]]:
    """A conversation of LONG messages."""
    messages = []
    for n in range(LONG):
        role = "assistant" if n % 2 else "user"
        text = "".join(prose(n, 60 if n % 2 else 12)).strip() or "so"
        messages.append(message(n + 1, role, text, now - LONG + n, cost=412 if n % 2 else None))
    messages[-1]["text"] = f"And that was {LAST_WORDS}"
    return messages


class LoadNode(ScriptedNode):
    """Streams until the question is cancelled."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        now = time.time()
        self.state["messages"]["long"] = long_history(now)
        self.state["sessions.list"].append(
            {
                "session_id": "long",
                "title": LONG_TITLE,
                "model": "qwen3-32b",
                "created": now - LONG,
                "updated": now,
                "messages": LONG,
            }
        )
        self._running = 0

    async def _messages(self, params: dict[str, Any]) -> object:
        """A page, without the marks of branches, which the sample node makes anew each time."""
        messages = self.state["messages"].get(params["session_id"], [])
        return messages[-params.get("limit", 200) :]

    async def _stream(
        self, ask_id: str, session_id: str, question: str, again: bool = False
    ) -> None:
        events = self._events
        if events is None:
            return
        self._running += 1
        if self._running == 2 and self._nursery is not None:
            self._nursery.start_soon(self._change_circuits)
        offset, started = 0, trio.current_time()
        tokens = prose(self._asks, 60 * TOKENS_PER_S)
        ids = {"ask_id": ask_id, "session_id": session_id}
        for number, token in enumerate(tokens):
            await trio.sleep_until(started + number / TOKENS_PER_S)
            events.publish("ask.delta", {**ids, "text": token, "offset": offset})
            offset += len(token.encode())
        self._finish(ids, question, "".join(tokens), "stop", again)

    async def _change_circuits(self) -> None:
        started, number = trio.current_time(), 0
        while self._events is not None:
            number += 1
            await trio.sleep_until(started + number / CIRCUIT_EVENTS_PER_S)
            state = ("building", "open", "closed")[number % 3]
            names = {"circuit_id": f"c{number % 40}", "purpose": "chat"}
            self._events.publish("circuit.changed", {**names, "state": state, "reason": None})


def main() -> None:
    """Serve until killed."""
    with LoadNode(Path(sys.argv[1])):
        print("ready", flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
