"""From an admitted request to what the engine computes, or why this model does not take it.

Blocks for as long as the template and the tokenizer need: call it in a thread. The words of a
refusal hold numbers of tokens and names of options, never anything of the question.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from engine.errors import ProviderError
from engine.exit.backends.base import ChatRequest, EmbedRequest
from engine.exit.backends.faults import KEPT
from engine.exit.backends.llama_cpp.grammar import grammar_of
from engine.exit.backends.llama_cpp.job import ChatJob, Post
from engine.exit.backends.llama_cpp.model import LlamaModel
from engine.exit.backends.llama_cpp.sampling import SamplingOptions, options_of, stops_of
from engine.exit.backends.llama_cpp.sizes import Sizes


@dataclass(frozen=True, slots=True)
class Question:
    """A conversation that fits: its tokens, and how its answer is to be made."""

    tokens: list[int] = field(repr=False)
    limit: int
    options: SamplingOptions
    stops: tuple[str, ...] = field(repr=False)
    grammar: str = field(repr=False)

    def job(self, session: bytes | None, post: Post) -> ChatJob:
        """The work order for the engine."""
        return ChatJob(
            self.tokens, self.limit, self.options, post, session, self.stops, self.grammar
        )


def chat(model: LlamaModel, sizes: Sizes, request: ChatRequest) -> Question:
    """The question as tokens. ProviderError with kind too_long or bad_request."""
    if request.tools:
        raise _unfit("this model is not offered with tools")
    if "images" in _kinds(request):
        raise _unfit("this model does not read images")
    try:
        options, stops = options_of(request.params), stops_of(request.params)
        grammar = grammar_of(model.lib, request.response_format)
        prompt = model.prompt(request.messages)
    except ValueError as error:
        raise _unfit(str(error)) from None
    except Exception as error:  # whatever a chat template does with messages that it does not like
        raise _unfit("the model's chat template does not take this conversation") from error
    count = len(prompt.tokens)
    if count >= sizes.context:
        raise _too_long("conversation", count, sizes.context)
    limit = max(1, min(request.max_tokens, sizes.context - count))
    return Question(prompt.tokens, limit, options, stops, grammar)


def texts(model: LlamaModel, sizes: Sizes, request: EmbedRequest) -> list[list[int]]:
    """The texts as tokens. ProviderError with kind too_long or bad_request."""
    if request.dimensions not in (0, model.embedding_size):
        raise _unfit(f"the vectors of this model have {model.embedding_size} numbers")
    found = [model.tokenize(text, begin=True) or model.tokenize(" ") for text in request.inputs]
    longest = max(map(len, found), default=0)
    if longest > sizes.context:
        raise _too_long("longest text", longest, sizes.context)
    return found


def _kinds(request: ChatRequest) -> set[str]:
    contents = [message.get("content") for message in request.messages]
    parts = [part for content in contents if isinstance(content, list) for part in content]
    return {"images" for part in parts if part.get("type") == "image_url"}


def _unfit(why: str) -> ProviderError:
    return ProviderError(
        f"The ghost's model does not take this question: {why}.",
        kind="bad_request",
        kept=KEPT,
        hint="Change the question's options.",
    )


def _too_long(what: str, count: int, context: int) -> ProviderError:
    return ProviderError(
        f"The {what} has {count:,} tokens; this model takes {context:,} with the answer.",
        kind="too_long",
        kept=KEPT,
        hint="Shorten it or start a new session.",
    )
