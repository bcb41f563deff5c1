"""Which processes a demo consists of and how each is configured. Starts nothing.

Six relays, so that a path of three and the two ways back of an answer are apart and one may die,
and a ghost, each at an address of its own /16 because path rules forbid two hops in one network; a
client; a mint and a provider unless the user brought their own.
"""

from __future__ import annotations

import os
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from tui.demo import tools
from tui.demo.children import Spec
from tui.demo.errors import DemoError
from tui.demo.home import PASSPHRASE_VARIABLE, DemoHome
from tui.demo.ports import free_port, is_free
from tui.demo.provider_server import MODEL_SHA256

RELAYS = {f"relay{n}": f"127.{n}.0.1" for n in range(1, 7)}
GHOST = "ghost"
GPU = "gpu"
LISTENERS = {**RELAYS, GHOST: "127.7.0.1", GPU: "127.8.0.1"}
STOP_ORDER = (("client",), (GHOST, GPU), tuple(RELAYS), ("mint", "provider"))

DEMO_MODEL = "smollm2-135m-instruct"
GPU_MODEL = "smollm2-135m-local"
KEY_VARIABLE = "PEER2PROMPT_PROVIDER_KEY"

# Prices of the demo in msat per million tokens: an answer of 200 tokens costs about 8 sat, paid in
# chunks of 8, so that one sees payments flow while it streams.
PRICES = {
    "in_price": 10_000_000,
    "out_price": 40_000_000,
    "chunk_msat": 8_000,
    "cap_msat": 64_000,
    "max_out": 512,
}
# Variables of this process that its children must not see, or only one of them.
_PRIVATE = ("PEER2PROMPT_HOME", KEY_VARIABLE, PASSPHRASE_VARIABLE)


@dataclass(frozen=True)
class Wanted:
    """What the user asked for. `key_file` holds the provider's key, never the key itself."""

    provider_url: str | None = None
    model: str | None = None
    mint: str | None = None
    key_file: Path | None = None
    gpu: bool = False
    """A second ghost that serves the model from its own process."""


class Plan:
    """Ports, addresses and process specifications of one demo."""

    def __init__(self, home: DemoHome, wanted: Wanted) -> None:
        self.home = home
        self.wanted = wanted
        self.ports = self._choose_ports()
        self.mint_url = wanted.mint or f"http://127.0.0.1:{self.ports['mint']}"
        self.model = wanted.model or DEMO_MODEL
        self.provider_url = wanted.provider_url or f"http://127.0.0.1:{self.ports['provider']}/v1"

    @property
    def listeners(self) -> tuple[str, ...]:
        """The nodes that others connect to."""
        return tuple(name for name in LISTENERS if name != GPU or self.wanted.gpu)

    def _choose_ports(self) -> dict[str, int]:
        """Fresh ports, except the mint's: its URL is the name of the ecash in kept wallets."""
        kept = self.home.recall().get("mint")
        taken: set[int] = set()
        ports: dict[str, int] = {}
        for name in (*LISTENERS, "mint", "provider"):
            ports[name] = free_port(LISTENERS.get(name, "127.0.0.1"), avoid=frozenset(taken))
            taken.add(ports[name])
        if kept is not None:
            ports["mint"] = kept
            if self.wanted.mint is None and not is_free("127.0.0.1", kept):
                raise DemoError(
                    f"Port {kept}, where the mint of this home was, is in use.",
                    kept="The ecash in this home is kept; it can be spent at that mint only.",
                    hint="Stop the program that uses the port, or choose another --home.",
                    code="address_in_use",
                    exit_code=9,
                )
        return ports

    def services(self) -> list[Spec]:
        """The mint and the provider, unless the user's own are used."""
        specs = []
        if self.wanted.mint is None:
            specs.append(self._mint())
        if self.wanted.provider_url is None:
            specs.append(self._provider())
        return specs

    def relays(self) -> list[Spec]:
        for name in RELAYS:
            self.home.write_config(
                name,
                {
                    "roles": ["relay"],
                    **self._listener(name),
                    "exit": {"mint_hosts": [_authority(self.mint_url)]},
                },
            )
        return [self._node(name) for name in RELAYS]

    def ghosts(self) -> list[Spec]:
        """The ghost, and the GPU node if one is wanted."""
        return [self.ghost(), *([self.gpu()] if self.wanted.gpu else [])]

    def ghost(self) -> Spec:
        ghost: dict[str, object] = {
            "provider_url": self.provider_url,
            "models": [self.model],
            "mints": [self.mint_url],
            **PRICES,
        }
        if self.wanted.key_file is not None:
            ghost["provider_key_file"] = str(self.wanted.key_file)
        self.home.write_config(
            GHOST,
            {
                "roles": ["ghost"],
                **self._listener(GHOST),
                "wallet": {"mints": [self.mint_url], "via": "direct"},
                "ghost": ghost,
            },
        )
        return self._node(GHOST)

    def gpu(self) -> Spec:
        """A ghost over the provider environment's model file, in its own process."""
        self.home.write_config(
            GPU,
            {
                "roles": ["ghost"],
                **self._listener(GPU),
                "wallet": {"mints": [self.mint_url], "via": "direct"},
                "ghost": {"models": [GPU_MODEL], "mints": [self.mint_url], **PRICES},
                "ghost.upstreams": [
                    {
                        "kind": "llama-cpp",
                        "model_file": str(tools.provider_model()),
                        "sha256": MODEL_SHA256,
                        "context": 2048,
                        "parallel": 2,
                    }
                ],
            },
        )
        return self._node(GPU)

    def client(self) -> Spec:
        self.home.write_config(
            "client",
            {
                "roles": ["client"],
                "store": self.home.node_store("client"),
                "network": self._network(),
                "wallet": {"mints": [self.mint_url], "via": "circuit"},
            },
        )
        return self._node("client")

    def _listener(self, name: str) -> dict[str, dict[str, object]]:
        """The tables that relays and the ghost have in common."""
        return {
            "store": dict(self.home.node_store(name)),
            "link": {"listen": f"{LISTENERS[name]}:{self.ports[name]}"},
            "network": self._network(),
        }

    def _network(self) -> dict[str, object]:
        return {
            "name": "demo",
            "contacts": str(self.home.contacts),
            "test_network": True,
            "gossip_s": 5,
        }

    def _node(self, name: str) -> Spec:
        env = {key: value for key, value in os.environ.items() if key not in _PRIVATE}
        if name == "client" and (passphrase := os.environ.get(PASSPHRASE_VARIABLE)):
            env[PASSPHRASE_VARIABLE] = os.path.abspath(passphrase)
        env["PEER2PROMPT_PARENT_PID"] = str(os.getpid())
        folder = self.home.folder(name)
        return Spec(
            name=name,
            # -P: the folder it runs in must not shadow a package.
            argv=(sys.executable, "-P", "-m", "engine", "--home", str(folder)),
            env=env,
            cwd=folder,
            log=self.home.log(name),
            grace_s=15.0 if name == "client" else 5.0,
        )

    def _mint(self) -> Spec:
        folder = self.home.folder("mint")
        port = self.ports["mint"]
        return Spec(
            name="mint",
            argv=(str(tools.mint_program()),),
            # Exactly these: Nutshell reads its settings from the environment and from ./.env.
            env={
                "HOME": str(folder),
                "PATH": os.defpath,
                "CASHU_DIR": str(folder),
                "MINT_DATABASE": str(folder / "data"),
                "MINT_PRIVATE_KEY": self.home.secret("mint", "private.key"),
                "MINT_BACKEND_BOLT11_SAT": "FakeWallet",
                "FAKEWALLET_BRR": "TRUE",
                "FAKEWALLET_DELAY_OUTGOING_PAYMENT": "0",
                "FAKEWALLET_DELAY_INCOMING_PAYMENT": "0",
                "MINT_LISTEN_HOST": "127.0.0.1",
                "MINT_LISTEN_PORT": str(port),
                "MINT_RATE_LIMIT": "FALSE",
                "MINT_INPUT_FEE_PPK": "0",
                "MINT_INFO_NAME": "Peer2Prompt demo mint",
                "TOR": "FALSE",
                "DEBUG": "FALSE",
                "LOG_LEVEL": "WARNING",
            },
            cwd=folder,
            log=self.home.log("mint"),
            probe=answers(f"http://127.0.0.1:{port}/v1/info"),
            ready_timeout_s=90.0,
        )

    def _provider(self) -> Spec:
        folder = self.home.folder("provider")
        script = str(tools.PROVIDER_SCRIPT)
        port = str(self.ports["provider"])
        return Spec(
            name="provider",
            argv=(
                str(tools.provider_python()),
                "-I",
                script,
                "--port",
                port,
                "--model",
                self.model,
            ),
            env={"HOME": str(folder), "PATH": os.defpath},
            cwd=folder,
            log=self.home.log("provider"),
            grace_s=2.0,
        )


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


def _authority(url: str) -> str:
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    host = parts.hostname or ""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
