"""The shapes of what programs get: described from (`openapi`), and held against every answer of the
tests. The answers themselves are built in the modules of their forms.

Strict: a field of an answer that does not stand here fails the tests.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import msgspec

Object: TypeAlias = dict[str, Any]


class Out(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of all answers."""


class Receipt(Out, frozen=True):
    n: int
    cost_msat: int
    hash: str


class Account(Out, frozen=True):
    """What an answer cost, who gave it and why, and the ghost's receipts."""

    cost_msat: int
    paid_msat: int
    quoted_msat: int
    mint: str
    ghost: str
    why: str
    shape: str
    ttft_ms: float | None
    total_ms: float
    receipts: list[Receipt]


# -- errors ----------------------------------------------------------------------------------------


class ErrorInside(Out, frozen=True):
    """`code` names the sort of failure, `param` the option that is to blame."""

    message: str
    type: str
    param: str | None
    code: str
    details: Object | msgspec.UnsetType = msgspec.UNSET


class Kept(Out, frozen=True):
    """What was kept safe, and what to do."""

    kept: str
    hint: str


class Error(Out, frozen=True):
    """Every failure, in a form that the clients of OpenAI and of Anthropic know."""

    type: Literal["error"]
    error: ErrorInside
    peer2prompt: Kept


# -- chat completions ------------------------------------------------------------------------------


class CachedIn(Out, frozen=True):
    cached_tokens: int


class ReasonedOut(Out, frozen=True):
    reasoning_tokens: int


class ChatUsage(Out, frozen=True):
    """Tokens, as they were billed."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: CachedIn
    completion_tokens_details: ReasonedOut


class Function(Out, frozen=True):
    name: str
    arguments: str


class Call(Out, frozen=True):
    id: str
    type: Literal["function"]
    function: Function


class ChatMessage(Out, frozen=True):
    role: Literal["assistant"]
    content: str | None
    refusal: None
    reasoning_content: str | msgspec.UnsetType = msgspec.UNSET
    tool_calls: list[Call] | msgspec.UnsetType = msgspec.UNSET


class ChatChoice(Out, frozen=True):
    index: int
    message: ChatMessage
    logprobs: None
    finish_reason: Literal["stop", "length", "tool_calls", "content_filter"]


class ChatAnswer(Out, frozen=True):
    id: str
    created: int
    object: Literal["chat.completion"]
    model: str
    choices: list[ChatChoice]
    usage: ChatUsage
    peer2prompt: Account


# -- responses -------------------------------------------------------------------------------------


class ResponseUsage(Out, frozen=True):
    input_tokens: int
    input_tokens_details: CachedIn
    output_tokens: int
    output_tokens_details: ReasonedOut
    total_tokens: int


class ResponsesAnswer(Out, frozen=True):
    """`output` holds messages, reasoning and function calls as OpenAI's clients know them."""

    id: str
    object: Literal["response"]
    created_at: int
    status: Literal["completed", "incomplete"]
    error: None
    incomplete_details: Object | None
    instructions: None
    metadata: Object
    model: str
    output: list[Object]
    parallel_tool_calls: bool
    temperature: None
    tool_choice: str
    tools: list[Object]
    top_p: None
    usage: ResponseUsage
    peer2prompt: Account


# -- messages --------------------------------------------------------------------------------------


class MessagesUsage(Out, frozen=True):
    input_tokens: int
    cache_read_input_tokens: int
    output_tokens: int


class TokenCount(Out, frozen=True):
    input_tokens: int


class MessagesAnswer(Out, frozen=True):
    """`content` holds text, thinking and tool_use blocks as Anthropic's clients know them."""

    id: str
    type: Literal["message"]
    role: Literal["assistant"]
    model: str
    content: list[Object]
    stop_reason: Literal["end_turn", "max_tokens", "tool_use", "refusal"]
    stop_sequence: None
    usage: MessagesUsage
    peer2prompt: Account


# -- embeddings ------------------------------------------------------------------------------------


class EmbeddingsUsage(Out, frozen=True):
    prompt_tokens: int
    total_tokens: int


class Embedding(Out, frozen=True):
    """The vector as numbers, or as 32-bit floats (little-endian) in base64."""

    object: Literal["embedding"]
    index: int
    embedding: list[float] | str


class EmbeddingsAnswer(Out, frozen=True):
    object: Literal["list"]
    data: list[Embedding]
    model: str
    usage: EmbeddingsUsage
    peer2prompt: Account


# -- models ----------------------------------------------------------------------------------------


class Offer(Out, frozen=True):
    """How many ghosts offer a model; the price is of the cheapest."""

    ghosts: int
    in_msat_per_million: int
    out_msat_per_million: int
    context: int
    features: list[str]


class ModelEntry(Out, frozen=True):
    id: str
    object: Literal["model"]
    created: int
    owned_by: str
    type: Literal["model"]
    display_name: str
    created_at: str
    lifecycle: str
    peer2prompt: Offer


class ModelList(Out, frozen=True):
    """All models, on one page."""

    object: Literal["list"]
    data: list[ModelEntry]
    has_more: Literal[False]
    first_id: str | None
    last_id: str | None
