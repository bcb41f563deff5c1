"""Addresses of the demo's servers: checked, taken apart, and asked whether somebody answers."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Callable
from urllib.parse import urlsplit

from tui.demo.errors import DemoError


def answers(url: str) -> Callable[[], bool]:
    """A probe: does this loopback server answer? Never through a proxy."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def probe() -> bool:
        try:
            with opener.open(url, timeout=2) as answer:
                return bool(answer.status == 200)
        except (OSError, urllib.error.URLError, ValueError):
            return False

    return probe


def check_url(value: str, option: str) -> str:
    """An http or https URL without its trailing slash. Raises DemoError naming the option."""
    try:
        parts = urlsplit(value)
        good = parts.scheme in ("http", "https") and bool(parts.hostname)
        good = good and parts.port != 0 and not parts.username
    except ValueError:
        good = False
    if not good:
        raise DemoError(
            f"The address given with {option} is not an http or https URL.",
            hint=f"For example: {option} http://127.0.0.1:3338",
            code="config",
            exit_code=2,
        )
    return value.rstrip("/")


def authority(url: str) -> str:
    """Host and port."""
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    host = parts.hostname or ""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
