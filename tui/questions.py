"""Putting a question to the node and not losing it: shared by the command line and notebooks.

What is asked costs money, so no question may go on behind the back of who stopped it, and none may
be taken for lost while its answer lies in the chat. Prints nothing and keeps no state.
"""

from __future__ import annotations

from typing import Any

import anyio

from engine.control.client import ControlClient, ControlError, RemoteError
from engine.control.protocol.asking import AskDone, AskResult, AskStarted
from engine.control.protocol.sessions import Message

_PATIENCE_S = 2
"""How long a stop waits for the node's word, under a shield."""


class AnswerLost(ControlError):
    """An answer failed, and why was among the events that were read too late."""

    code = "lagged"
    exit_code = 4


async def put(client: ControlClient, method: str, **params: Any) -> AskStarted:
    """Put a question. When interrupted just then, wait shortly for its id and call it off."""
    outcome: list[AskStarted | Exception] = []
    answered = anyio.Event()

    async def call() -> None:
        try:
            outcome.append(await client.call_as(AskStarted, method, **params))
        except Exception as exc:  # raised again below, outside the task group
            outcome.append(exc)
        finally:
            answered.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(call)
        try:
            await answered.wait()
        except BaseException:
            with anyio.move_on_after(_PATIENCE_S, shield=True):
                await answered.wait()
            if outcome and isinstance(outcome[0], AskStarted):
                await call_off(client, outcome[0])
            raise
    if isinstance(outcome[0], Exception):
        raise outcome[0]
    return outcome[0]


async def call_off(client: ControlClient, started: AskStarted) -> None:
    """Tell the node that nobody waits any more, so that nothing more is paid."""
    with anyio.move_on_after(_PATIENCE_S, shield=True):
        try:
            await client.call("ask.cancel", ask_id=started.ask_id)
        except Exception as exc:
            if not hasattr(exc, "exit_code"):
                raise


async def from_history(client: ControlClient, started: AskStarted) -> AskDone | None:
    """After events were lost: the finished answer as the chat holds it, None while it goes on.

    Raises `RemoteError` or `AnswerLost` when it failed.
    """
    messages = await client.call_as(
        list[Message], "sessions.messages", session_id=started.session_id, limit=4
    )
    newest = max(messages, key=lambda message: message.message_id, default=None)
    if newest is None or newest.role != "assistant" or newest.meta.state == "streaming":
        return None
    if newest.meta.error is not None:
        raise RemoteError(newest.meta.error)
    if newest.meta.state == "failed":
        raise AnswerLost(
            "The answer failed, and the reason was lost because it was read too slowly.",
            kept="What had arrived is in the conversation.",
            hint=f"See `peer2prompt sessions show {started.session_id[:8]}`.",
        )
    return AskDone(ask_id=started.ask_id, session_id=started.session_id, result=_result(newest))


def _result(message: Message) -> AskResult:
    meta = message.meta
    return AskResult(
        answer=message.text,
        tokens_in=meta.tokens_in or 0,
        tokens_out=meta.tokens_out or 0,
        cost_msat=meta.cost_msat or 0,
        ttft_ms=meta.ttft_ms,
        finish_reason="cancelled" if meta.state == "cancelled" else "",
        parts=message.parts,
        message_id=message.message_id,
    )
