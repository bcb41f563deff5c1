"""What an answer cost, as the API tells it beside the answer. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

FINISHES = ("stop", "length", "tool_calls", "content_filter")


def usage(result: Mapping[str, Any]) -> dict[str, Any]:
    """Tokens as OpenAI counts them; they are the billed ones."""
    tokens_in, tokens_out = result["tokens_in"], result["tokens_out"]
    return {
        "prompt_tokens": tokens_in,
        "completion_tokens": tokens_out,
        "total_tokens": tokens_in + tokens_out,
        "prompt_tokens_details": {"cached_tokens": result["tokens_cached"]},
        "completion_tokens_details": {"reasoning_tokens": result["tokens_reasoning"]},
    }


def account(result: Mapping[str, Any]) -> dict[str, Any]:
    """The field `peer2prompt` of an answer: price, receipts, and who answered why."""
    return {
        "cost_msat": result["cost_msat"],
        "paid_msat": result["paid_msat"],
        "quoted_msat": result["quoted_msat"],
        "mint": result["mint"],
        "ghost": _ghost(result),
        "why": result.get("why", ""),
        "shape": result["shape_class"],
        "ttft_ms": result["ttft_ms"],
        "total_ms": result["total_ms"],
        "receipts": result["receipts"],
    }


def headers(result: Mapping[str, Any]) -> dict[str, str]:
    """The same in short, for clients that show no unknown fields."""
    told = {
        "X-Peer2Prompt-Cost-Msat": str(result["cost_msat"]),
        "X-Peer2Prompt-Ghost": _ghost(result),
    }
    if result["receipts"]:
        told["X-Peer2Prompt-Receipt"] = str(result["receipts"][-1]["hash"])
    return told


def finish(result: Mapping[str, Any], *, calls: bool) -> str:
    """OpenAI's word for why an answer ended."""
    reason = str(result["finish_reason"])
    if calls:
        return "tool_calls"
    return reason if reason in FINISHES else "stop"


def _ghost(result: Mapping[str, Any]) -> str:
    hops = [hop for hop in result["route"] if hop["role"] == "ghost"]
    return str(hops[-1]["id"]) if hops else ""
