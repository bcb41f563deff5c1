"""`[[ghost.upstreams]]`: the providers and machines that a ghost asks. Values only."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from engine.errors import ConfigError
from engine.exit.backends.llama_cpp.settings import LlamaSettings
from engine.exit.backends.upstream import KINDS
from engine.settings_table import Table, check_url, one_of

LOCAL_KINDS = ("llama-cpp",)
SHA256 = re.compile(r"[0-9a-f]{64}")
KEY_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


@dataclass(frozen=True)
class UpstreamSettings:
    """One provider, or one machine of a cluster. `models` maps offered names to its own."""

    kind: str = "openai"
    url: str = ""
    key: str = ""
    """Name of its key in the encrypted store; "" when it needs none or has a file."""
    key_file: Path | None = None
    models: tuple[tuple[str, str], ...] = ()
    weight: int = 1
    max_concurrent: int = 0
    """At most so many answers at once from it; 0 for no bound of its own."""
    model_file: Path | None = None
    llama: LlamaSettings | None = None
    silence_s: int = 120
    """How long the provider may say nothing before its answer counts as lost."""
    side_folder: Path | None = None
    """Where the hash of the model file is kept from start to start."""

    @property
    def name(self) -> str:
        """What the operator knows it by: its key's name, or where it is."""
        return self.key or urlsplit(self.url).netloc or str(self.model_file)

    @property
    def is_own(self) -> bool:
        """Whether it is a machine of the operator's, so that nobody else's terms apply."""
        return self.kind in LOCAL_KINDS or _is_near(urlsplit(self.url).hostname or "")


def parse_upstream(table: Table, base: Path, names: tuple[str, ...]) -> UpstreamSettings:
    """One [[ghost.upstreams]]; `names` are the models it may serve, `base` is where relative paths
    begin. Raises ConfigError."""
    kind = one_of(table.take("kind", str, "openai"), KINDS, "ghost.upstreams.kind")
    url = table.take("url", str, "")
    model_file = table.path("model_file", base)
    if kind in LOCAL_KINDS:
        if model_file is None or url:
            raise ConfigError(
                f"An upstream of kind {kind} needs ghost.upstreams.model_file and no url."
            )
    elif not url or model_file is not None:
        raise ConfigError(
            f"An upstream of kind {kind} needs ghost.upstreams.url and no model_file.",
            hint="For OpenAI it is https://api.openai.com/v1.",
        )
    key, key_file = table.take("key", str, ""), table.path("key_file", base)
    if key and key_file is not None:
        raise ConfigError(
            "An upstream has both ghost.upstreams.key and key_file.",
            hint="`key` names one in the encrypted store (`peer2prompt ghost key NAME`).",
        )
    if key and not KEY_NAME.fullmatch(key):
        raise ConfigError(
            "ghost.upstreams.key must be a name of small letters, digits, - _ and dots.",
            hint="The key itself never stands in config.toml: `peer2prompt ghost key NAME` "
            "puts it into the encrypted store.",
        )
    upstream = UpstreamSettings(
        kind=kind,
        url=check_url(url, "ghost.upstreams.url") if url else "",
        key=key,
        key_file=key_file,
        models=_models_of(table, names),
        weight=table.positive("weight", 1, 1_000),
        max_concurrent=table.bounded("max_concurrent", 0, 0, 10_000),
        model_file=model_file,
        silence_s=table.positive("silence_s", 120, 3_600),
        llama=_llama(table) if kind in LOCAL_KINDS else None,
        side_folder=base if kind in LOCAL_KINDS else None,
    )
    table.finish()
    return upstream


def _models_of(table: Table, names: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """A list of names, a table from offered to upstream names, or all that are offered."""
    given: Any = table.either("models", (list, dict), list(names))
    pairs = given.items() if isinstance(given, dict) else ((name, name) for name in given)
    models: tuple[tuple[str, str], ...] = tuple(pairs)
    if not models or not all(isinstance(a, str) and isinstance(b, str) and b for a, b in models):
        raise ConfigError(
            "ghost.upstreams.models must be a list of names, or a table of names.",
            hint='For example { "small" = "vendor/small-2026-01" }: offered name, name there.',
        )
    if unknown := {name for name, _ in models} - set(names):
        raise ConfigError(
            f"An upstream serves {sorted(unknown)[0]!r}, which is not among ghost.models."
        )
    return models


_LLAMA = {
    "context": (1, 1 << 24),
    "parallel": (1, 128),
    "kept": (0, 1 << 28),
    "queue": (0, 10_000),
    "threads": (1, 1024),
    "gpu_layers": (-1, 10_000),
    "main_gpu": (0, 64),
    "micro_batch": (0, 65_536),
    "read_ahead": (1, 65_536),
}


def _llama(table: Table) -> LlamaSettings:
    usual = LlamaSettings()
    numbers = {
        key: table.bounded(key, getattr(usual, key), least, most)
        for key, (least, most) in _LLAMA.items()
    }
    flash = one_of(
        table.take("flash_attention", str, usual.flash_attention),
        ("auto", "on", "off"),
        "ghost.upstreams.flash_attention",
    )
    split = table.take("tensor_split", list, [])
    if not all(isinstance(share, int | float) and 0 <= share < 1e6 for share in split):
        raise ConfigError("ghost.upstreams.tensor_split must be a list of shares.")
    sha256 = table.take("sha256", str, "").lower()
    if sha256 and not SHA256.fullmatch(sha256):
        raise ConfigError("ghost.upstreams.sha256 must be the 64 hex digits of a SHA-256.")
    return LlamaSettings(
        **numbers,
        kept_s=float(table.positive("kept_s", int(usual.kept_s), 86_400)),
        flash_attention=flash,  # type: ignore[arg-type] # one_of has seen to it
        tensor_split=tuple(float(share) for share in split),
        sha256=sha256,
    )


def foreign_hosts(upstreams: Iterable[UpstreamSettings]) -> list[str]:
    """The hosts of providers whose terms apply."""
    return [urlsplit(upstream.url).hostname or "" for upstream in upstreams if not upstream.is_own]


def _is_near(host: str) -> bool:
    """A name of this machine, or an address that is not reached over the internet."""
    if host == "localhost" or host.endswith((".localhost", ".local", ".internal", ".lan")):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return "." not in host and bool(host)
    return address.is_private or address.is_loopback or address.is_link_local
