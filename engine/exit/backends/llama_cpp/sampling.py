"""How the next token of one answer is chosen: llama.cpp's samplers, one chain for each answer.

With a grammar the chain chooses first among the likely tokens that the grammar allows; only when it
allows none of them is the whole vocabulary put through the grammar, which is fifty times slower.
"""

from __future__ import annotations

import ctypes
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engine.exit.backends.llama_cpp.model import LlamaModel

LIKELY = 64
"""Tokens of highest logit that are tried against a grammar before all others are."""
PENALTY_WINDOW = 64
_CANDIDATE = [("id", "<i4"), ("logit", "<f4"), ("p", "<f4")]
_RANDOM = 0xFFFFFFFF  # LLAMA_DEFAULT_SEED: the library would choose one itself


@dataclass(frozen=True, slots=True)
class SamplingOptions:
    """The options of one request, checked. Defaults are llama.cpp's own."""

    temperature: float = 0.8
    top_p: float = 0.95
    top_k: int = 40
    min_p: float = 0.05
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    seed: int = 0


def options_of(params: Mapping[str, Any]) -> SamplingOptions:
    """The sampling options of a request's parameters. ValueError names the one that is wrong."""
    seed = params.get("seed")
    if seed is None:
        seed = int.from_bytes(os.urandom(4), "little")
    if isinstance(seed, bool) or not isinstance(seed, int):
        raise ValueError("seed is not a whole number")
    return SamplingOptions(
        temperature=_number(params, "temperature", 0.8, 0.0, 5.0),
        top_p=_number(params, "top_p", 0.95, 0.0, 1.0),
        top_k=int(_number(params, "top_k", 40, 0, 1_000_000)),
        min_p=_number(params, "min_p", 0.05, 0.0, 1.0),
        presence_penalty=_number(params, "presence_penalty", 0.0, -2.0, 2.0),
        frequency_penalty=_number(params, "frequency_penalty", 0.0, -2.0, 2.0),
        seed=seed % _RANDOM,
    )


def stops_of(params: Mapping[str, Any]) -> tuple[str, ...]:
    """The stop strings of a request. ValueError if they are not a few short strings."""
    stop = params.get("stop")
    stops = [stop] if isinstance(stop, str) else list(stop or ())
    if len(stops) > 16 or not all(isinstance(s, str) and 0 < len(s) <= 256 for s in stops):
        raise ValueError("stop is not a list of at most 16 short texts")
    return tuple(stops)


def _number(
    params: Mapping[str, Any], name: str, default: float, least: float, most: float
) -> float:
    value = params.get(name)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{name} is not a number")
    if not least <= value <= most:
        raise ValueError(f"{name} is not between {least:g} and {most:g}")
    return float(value)


class Sampler:
    """Chooses the tokens of one answer. Lives in the engine's thread; `close` frees it."""

    def __init__(self, model: LlamaModel, options: SamplingOptions, grammar: str = "") -> None:
        self._model = model
        self._api = model.lib.api
        self._rules = self._make_rules(grammar) if grammar else None
        self._chain = self._make_chain(options)

    def __repr__(self) -> str:
        return f"Sampler(grammar={self._rules is not None})"

    def close(self) -> None:
        """Free the samplers. Calling it twice is no error."""
        for sampler in (self._chain, self._rules):
            if sampler is not None:
                self._api.llama_sampler_free(sampler)
        self._chain = self._rules = None

    def choose(self, context: Any, row: int) -> int:
        """The next token after the logits in this row. LookupError when the grammar is at an end
        that the model's vocabulary cannot continue."""
        if self._rules is None:
            return int(self._api.llama_sampler_sample(self._chain, context, row))
        numpy = self._model.lib.numpy
        pointer = self._api.llama_get_logits_ith(context, row)
        logits = numpy.ctypeslib.as_array(pointer, (self._model.vocab_size,))
        few = min(LIKELY, len(logits))
        token = self._by_rules(logits, numpy.argpartition(logits, -few)[-few:])
        if token is None:
            token = self._by_rules(logits, numpy.arange(len(logits)))
        if token is None:
            raise LookupError("the grammar allows no token")
        self._api.llama_sampler_accept(self._rules, token)
        self._api.llama_sampler_accept(self._chain, token)
        return token

    def _by_rules(self, logits: Any, tokens: Any) -> int | None:
        """The chain's choice among those of `tokens` that the grammar allows."""
        numpy, api = self._model.lib.numpy, self._api
        data = numpy.zeros(len(tokens), _CANDIDATE)
        data["id"], data["logit"] = tokens, logits[tokens]
        array = self._candidates(data)
        api.llama_sampler_apply(self._rules, ctypes.byref(array))
        data = data[numpy.isfinite(data["logit"])]
        if not len(data):
            return None
        array = self._candidates(data)
        api.llama_sampler_apply(self._chain, ctypes.byref(array))
        return int(array.data[array.selected].id) if array.selected >= 0 else None

    def _candidates(self, data: Any) -> Any:
        api = self._api
        pointer = data.ctypes.data_as(api.llama_token_data_p)
        return api.llama_token_data_array(pointer, len(data), -1, False)

    def _make_rules(self, grammar: str) -> Any:
        rules = self._api.llama_sampler_init_grammar(self._model.vocab, grammar.encode(), b"root")
        if not rules:
            raise ValueError("the grammar cannot be read")
        return rules

    def _make_chain(self, options: SamplingOptions) -> Any:
        api = self._api
        chain = api.llama_sampler_chain_init(api.llama_sampler_chain_default_params())
        for sampler in self._parts(options):
            api.llama_sampler_chain_add(chain, sampler)
        return chain

    def _parts(self, options: SamplingOptions) -> list[Any]:
        api = self._api
        parts = []
        if options.presence_penalty or options.frequency_penalty:
            parts.append(
                api.llama_sampler_init_penalties(
                    self._model.vocab_size,
                    PENALTY_WINDOW,
                    1.0,
                    options.frequency_penalty,
                    options.presence_penalty,
                )
            )
        if options.temperature == 0:
            return [*parts, api.llama_sampler_init_greedy()]
        return [
            *parts,
            api.llama_sampler_init_top_k(options.top_k),
            api.llama_sampler_init_top_p(options.top_p, 1),
            api.llama_sampler_init_min_p(options.min_p, 1),
            api.llama_sampler_init_temp(options.temperature),
            api.llama_sampler_init_dist(options.seed),
        ]
