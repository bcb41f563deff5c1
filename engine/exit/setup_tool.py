"""Setting a ghost up without a node: asked by the faces, one JSON object in, one out.

    python -m engine.exit.setup_tool facts | models | key | write --home DIR

`facts` tells what there is to choose from and what is set already; `models` asks the provider for
its list of models (one free call); `key` keeps a provider key in the encrypted store; `write` puts
settings into config.toml, or with `dry_run` only shows them. Keys come on standard input, never as
an argument, and never leave in an answer or an error.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import tomlkit
import trio

from engine.config import load_config, parse_config
from engine.errors import ConfigError
from engine.exit.backends.build import listing_of
from engine.exit.backends.listing import Listing, usd_text
from engine.exit.backends.upstream import Upstream
from engine.exit.categories import CATEGORIES
from engine.exit.keys import KeyRing, clean_key
from engine.exit.price_table import read_table
from engine.exit.settings_file import edited, put, tables, write_whole
from engine.exit.settings_upstreams import UpstreamSettings, foreign_hosts
from engine.exit.terms import terms_hash, terms_text
from engine.json_tool import run_tool
from engine.store_opening import open_store_with, store_secret
from wallet.store import Passphrase

MAX_INPUT = 1 << 20
LIST_S = 40.0
MAX_MODELS = 1_000


def facts(_home: Path, given: Mapping[str, Any]) -> dict[str, Any]:
    """Categories, list prices of the named models, and the terms for an upstream."""
    table = read_table()
    guesses = {name: table.guess(name) for name in given.get("models", ())}
    hosts = hosts_of(given)
    return {
        "categories": CATEGORIES,
        "price_date": table.date,
        "prices": {
            name: [price.tokens_in, price.tokens_out, price.cached]
            for name, price in guesses.items()
            if price is not None
        },
        "terms": terms_text(hosts) if hosts else "",
        "terms_hash": terms_hash(hosts) if hosts else "",
        "today": datetime.now(UTC).date().isoformat(),
    }


def hosts_of(given: Mapping[str, Any]) -> list[str]:
    """The hosts whose terms apply, of the given upstream and of the others that stay."""
    found = [
        UpstreamSettings(kind=str(one.get("kind", "openai")), url=str(one.get("url", "")))
        for one in given.get("upstreams", ())
    ]
    return foreign_hosts(found)


def models(_home: Path, given: Mapping[str, Any]) -> dict[str, Any]:
    """What the provider says it serves, and the prices it names, as `facts` has list prices."""
    key = given.get("key", "")
    upstream = Upstream(kind=given["kind"], url=given["url"], key=clean_key(key) if key else "")

    async def ask() -> Listing:
        with trio.fail_after(LIST_S):
            return await listing_of(upstream)

    try:
        listing = trio.run(ask)
    except trio.TooSlowError as error:
        raise ConfigError("The provider did not answer in time.") from error
    names = sorted(listing.names)[:MAX_MODELS]
    asked = {name: listing.prices[name] for name in names if name in listing.prices}
    prices = {
        name: [usd_text(part) for part in (price.tokens_in, price.tokens_out, price.cached)]
        for name, price in asked.items()
    }
    return {"models": names, "prices": prices}


def key(home: Path, given: Mapping[str, Any]) -> dict[str, Any]:
    """Keep a key under a name."""
    config = load_config(home)
    passphrase = given.get("passphrase")
    secret = Passphrase(passphrase) if passphrase else store_secret(config.store, home)

    async def keep() -> list[str]:
        async with await open_store_with(config, secret) as store:
            ring = KeyRing(store.secrets)
            await ring.put(given["name"], given["key"])
            return await ring.names()

    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    return {"keys": trio.run(keep)}


def write(home: Path, given: Mapping[str, Any]) -> dict[str, Any]:
    """Settings into config.toml: `ghost` by dotted names, `models` and `upstreams` as tables,
    `roles` that are added, `listen`."""
    path = home / "config.toml"

    def edit(document: tomlkit.TOMLDocument) -> None:
        add_roles(document, given.get("roles", ()))
        if listen := given.get("listen"):
            document.setdefault("link", tomlkit.table())["listen"] = listen
        put(document, given.get("ghost", {}))
        for name in ("upstreams", "models"):
            if given.get(name):
                put(document, {name: tables(given[name])})
        if given.get("upstreams"):
            put(document, {"provider_url": None, "provider_key_file": None})

    def check(data: Mapping[str, Any]) -> None:
        if parse_config(home, data, base=home).ghost is None:
            raise ConfigError("The settings do not name the ghost role.")

    text = edited(path, edit, check)
    if not given.get("dry_run"):
        write_whole(path, text)
    return {"path": str(path), "text": text, "written": not given.get("dry_run")}


def add_roles(document: tomlkit.TOMLDocument, roles: list[str]) -> None:
    """Name these roles beside those that are there."""
    there = document.get("roles", ["client"])
    missing = [role for role in roles if role not in there]
    if missing or "roles" not in document:
        document["roles"] = [*there, *missing]


def current(home: Path, _given: Mapping[str, Any]) -> dict[str, Any]:
    """The [ghost] table, the roles, the listening address and the mints as they are set."""
    path = home / "config.toml"
    try:
        data = tomlkit.parse(path.read_text("utf-8")).unwrap() if path.exists() else {}
    except (OSError, ValueError) as error:
        raise ConfigError(f"The configuration {path} cannot be read.") from error
    ghost, link = data.get("ghost", {}), data.get("link", {})
    wallet = data.get("wallet", {})
    upstreams = list(ghost.get("upstreams", ()))
    if ghost.get("provider_url"):
        upstreams.append({"kind": "openai", "url": ghost["provider_url"]})
    return {
        "ghost": ghost,
        "roles": data.get("roles", []),
        "listen": link.get("listen", ""),
        "mints": ghost.get("mints") or wallet.get("mints", []),
        "upstreams": upstreams,
        "hosts": [urlsplit(str(one.get("url", ""))).hostname or "" for one in upstreams],
    }


_COMMANDS = {"facts": facts, "models": models, "key": key, "write": write, "current": current}


def main(argv: list[str] | None = None) -> int:
    """The command line; prints one JSON object."""
    parser = argparse.ArgumentParser(prog="python -m engine.exit.setup_tool", description=__doc__)
    parser.add_argument("what", choices=sorted(_COMMANDS))
    parser.add_argument("--home", type=Path, required=True)
    args = parser.parse_args(argv)

    def work() -> object:
        given = json.loads(sys.stdin.buffer.read(MAX_INPUT) or b"{}")
        return _COMMANDS[args.what](args.home, given)

    return run_tool(work)


if __name__ == "__main__":
    sys.exit(main())
