"""Asks an OpenAI-compatible server which model it has, when the user named none."""

from __future__ import annotations

import json
import urllib.request
from urllib.parse import urlsplit

from tui.demo.errors import DemoError

_TIMEOUT_S = 10
_MAX_BYTES = 1_000_000


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect would carry the key to another server."""

    def redirect_request(self, *_args: object, **_kwargs: object) -> None:
        return None


def first_model(base_url: str, key: str | None) -> str:
    """The first model of `GET <base_url>/models`. Raises DemoError asking for --model."""
    root = base_url if urlsplit(base_url).path.strip("/") else base_url + "/v1"
    request = urllib.request.Request(root + "/models")
    if key:
        request.add_unredirected_header("Authorization", f"Bearer {key}")
    try:
        with urllib.request.build_opener(_NoRedirect).open(request, timeout=_TIMEOUT_S) as answer:
            models = json.loads(answer.read(_MAX_BYTES))["data"]
            name = models[0]["id"]
        if isinstance(name, str) and name:
            return name
    except (OSError, ValueError, LookupError, TypeError):
        pass
    raise DemoError(
        "The provider did not say which models it has.",
        kept="Nothing was started.",
        hint="Name one with --model NAME.",
        code="provider",
        exit_code=6,
    )
