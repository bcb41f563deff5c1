"""How a node reaches mints: over circuits, through a SOCKS proxy of the user's, or directly.

With a proxy every byte and every name goes through it: nothing is looked up here, and there is no
direct connection to fall back to when the proxy is down. Names that only such a proxy can reach
(onion addresses) are refused on any other way, in words, before anything is opened.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from engine.errors import ConfigError
from wallet.errors import MintUnreachable

if TYPE_CHECKING:
    import httpx

WAYS = ("circuit", "direct", "proxy")
MAX_CREDENTIAL = 255
_EXAMPLE = 'wallet.proxy = "socks5h://127.0.0.1:9050"'


@dataclass(frozen=True)
class Proxy:
    """A SOCKS5 proxy that looks names up itself. Without a user name of its own each mint gets one,
    fresh at every start, so that Tor keeps their connections on circuits apart."""

    host: str
    port: int
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    run: str = field(default_factory=lambda: secrets.token_hex(8), repr=False)

    def transport(self, tag: str) -> httpx.AsyncBaseTransport:
        """For one mint; another tag is another stranger to it."""
        import httpx  # a relay reads these settings too, and does without it

        host = f"[{self.host}]" if ":" in self.host else self.host
        auth = (self.user, self.password) if self.user else (f"{self.run} {tag}"[:255], "mint")
        proxy = httpx.Proxy(f"socks5h://{host}:{self.port}", auth=auth)
        return httpx.AsyncHTTPTransport(proxy=proxy, trust_env=False)


@dataclass(frozen=True)
class MintWay:
    via: str = "circuit"
    proxy: Proxy | None = None

    def check(self, url: str) -> None:
        """Raises MintUnreachable for a mint that this way must not or cannot lead to."""
        if (why := self._why_not(url)) is not None:
            words, hint = why
            raise MintUnreachable(
                f"The mint {url} {words}.", kept="Nothing was sent to it.", hint=hint
            )

    def _why_not(self, url: str) -> tuple[str, str] | None:
        parts = urlsplit(url)
        onion = _is_onion(parts.hostname or "")
        if self.proxy is None and onion:
            return (
                "has an onion address, which only a SOCKS proxy reaches",
                f"Set {_EXAMPLE} for a Tor that runs here.",
            )
        if self.proxy is not None and not onion and parts.scheme != "https":
            return (
                "speaks plain HTTP: whoever the proxy goes through could take the ecash",
                "Use its https or onion address, or no proxy.",
            )
        return None


def parse_way(via: str, proxy: str, mints: Iterable[str]) -> MintWay:
    """The settings `wallet.via` ("" when it is not set) and `wallet.proxy`, and whether the mints
    of the settings can be reached so. Raises ConfigError."""
    if via and via not in WAYS:
        raise ConfigError(f"The setting wallet.via must be one of: {', '.join(WAYS)}.")
    if via == "proxy" and not proxy:
        raise ConfigError('wallet.via = "proxy" needs the proxy.', hint=f"Set {_EXAMPLE}.")
    if proxy and via in ("circuit", "direct"):
        raise ConfigError(
            f'wallet.proxy and wallet.via = "{via}" exclude each other.',
            hint="Remove one of them: mints are reached over circuits, or through the proxy.",
        )
    way = MintWay("proxy", parse_proxy(proxy)) if proxy else MintWay(via or "circuit")
    for url in mints:
        try:
            way.check(url)
        except MintUnreachable as error:
            raise ConfigError(error.message, hint=error.hint) from error
    return way


def parse_proxy(text: str) -> Proxy:
    """ "socks5h://[USER:PASSWORD@]HOST:PORT". Raises ConfigError; its words never hold the text,
    which may have a password in it."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise _no_proxy() from None
    if parts.scheme in ("socks5", "socks4", "socks4a", "socks"):
        raise ConfigError(
            "wallet.proxy must begin with socks5h://.",
            hint="The h stands for names looked up by the proxy; here they would be seen.",
        )
    if parts.scheme != "socks5h" or not parts.hostname or not port:
        raise _no_proxy()
    if parts.path not in ("", "/") or parts.query or parts.fragment or not text.isprintable():
        raise _no_proxy()
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    if bool(user) != bool(password) or max(len(user), len(password)) > MAX_CREDENTIAL:
        raise _no_proxy()
    return Proxy(parts.hostname, port, user, password)


def _no_proxy() -> ConfigError:
    return ConfigError(
        "wallet.proxy is not a SOCKS proxy's address.",
        hint="It looks like socks5h://127.0.0.1:9050 or socks5h://USER:PASSWORD@HOST:PORT.",
    )


def _is_onion(host: str) -> bool:
    return host.rstrip(".").endswith(".onion")
