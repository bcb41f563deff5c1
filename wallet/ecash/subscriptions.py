"""NUT-17: asking a mint to tell of changes over a websocket. JSON-RPC 2.0, encoded and read here;
whoever carries the text is `wallet.live`. Pure.

A message is an answer to the subscription, a notification of it, or something else, which is
nothing to us. What a notification says is a hint that something has changed: it is always looked
up at the mint before anything is done.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any

import msgspec

from wallet.ecash.errors import EcashError

MAX_NAMES = 100
_Text = Annotated[str, msgspec.Meta(max_length=1024)]


class Topic(StrEnum):
    """What can be asked about; the names are quote ids, or the Y of proofs in hex."""

    MINT_QUOTE = "bolt11_mint_quote"
    MELT_QUOTE = "bolt11_melt_quote"
    PROOF_STATE = "proof_state"


@dataclass(frozen=True, slots=True)
class Accepted:
    """The mint will tell."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The mint will not tell."""


@dataclass(frozen=True, slots=True)
class News:
    """The mint says that what was asked about is in this state now."""

    name: str
    state: str


class _Payload(msgspec.Struct):
    state: _Text
    quote: _Text = ""
    Y: _Text = ""


class _Params(msgspec.Struct):
    subId: _Text
    payload: _Payload


class _Message(msgspec.Struct):
    """Answers have an id and a result or an error; notifications have a method and parameters."""

    id: int | None = None
    method: _Text = ""
    params: msgspec.Raw = msgspec.Raw(b"null")
    result: Any = None
    error: Any = None


def subscribe(call_id: int, sub_id: str, topic: Topic, names: Sequence[str]) -> str:
    """The request for news of these names."""
    if not 0 < len(names) <= MAX_NAMES:
        raise EcashError("a subscription is for 1 to 100 names")
    params = {"kind": topic.value, "filters": list(names), "subId": sub_id}
    request = {"jsonrpc": "2.0", "method": "subscribe", "params": params, "id": call_id}
    return msgspec.json.encode(request).decode()


def read(text: str | bytes, call_id: int, sub_id: str) -> Accepted | Refused | News | None:
    """One message of the mint; None for what is not about this subscription. Raises EcashError."""
    try:
        message = msgspec.json.decode(text, type=_Message)
        if message.method:
            if message.method != "subscribe":
                return None
            params = msgspec.json.decode(message.params, type=_Params)
            if params.subId != sub_id:
                return None
            return News(params.payload.quote or params.payload.Y, params.payload.state)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as exc:
        raise EcashError("a message is not NUT-17") from exc
    if message.error is not None:
        # A mint that could not read the request answers with the id 0 or none.
        return Refused()
    return Accepted() if message.id == call_id and message.result is not None else None
