"""A question as a gate sees it."""

from __future__ import annotations

import json
from typing import Any

from engine.exit.admission import Question
from engine.exit.backends.base import ChatRequest
from engine.market.commands import Admitted
from engine.wire.session import Ask


def question(text: str, **more: Any) -> Question:
    """With one message of the user's."""
    messages = more.pop("messages", [{"role": "user", "content": text}])
    body = json.dumps({"messages": messages}).encode()
    request = ChatRequest("m", messages, 100, **more)
    return Question(bytes(32), Ask(1, "m", body), Admitted(1, request))
