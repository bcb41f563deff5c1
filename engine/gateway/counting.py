"""/v1/messages/count_tokens: about how many tokens a question has. Pure, and nothing is sent.

Clients of Anthropic's form ask for it before they ask the question itself. It is the meter's own
estimate, from bytes: what is billed are the tokens that the model's provider counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.gateway.bodies import check_form
from engine.gateway.messages_body import read_messages
from engine.market.meter import tokens_of
from engine.market.weight import metered_bytes
from engine.session.client import encode_body

PATH = "/v1/messages/count_tokens"


def count_tokens(found: Mapping[str, Any]) -> dict[str, int]:
    """The answer to a body as that of /v1/messages. Raises Problem."""
    wanted = read_messages(found)
    check_form(wanted)
    return {"input_tokens": max(1, tokens_of(metered_bytes(encode_body(wanted.body))))}
