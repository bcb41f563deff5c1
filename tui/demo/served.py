"""What `demo --api` says to programs: addresses and a key, for a shell or as JSON. Pure."""

from __future__ import annotations

import json
import shlex


def told(url: str, key: str, *, json_wanted: bool) -> str:
    """One JSON object, or `export` lines that the clients of OpenAI and Anthropic read by
    themselves."""
    if json_wanted:
        return json.dumps({"url": url, "key": key})
    names = {
        "OPENAI_BASE_URL": url,
        "OPENAI_API_KEY": key,
        "ANTHROPIC_BASE_URL": url.removesuffix("/v1"),
        "ANTHROPIC_API_KEY": key,
    }
    return "\n".join(f"export {name}={shlex.quote(value)}" for name, value in names.items())
