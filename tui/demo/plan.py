"""Which processes a demo consists of and how each is configured. Starts nothing.

Relays and ghosts (places.py), a client; a mint and a provider unless the user brought their own.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from tui.demo import tools
from tui.demo.children import Spec
from tui.demo.errors import DemoError
from tui.demo.home import PASSPHRASE_VARIABLE, DemoHome, TomlTable
from tui.demo.places import GHOSTS, GPU, LISTENERS, RELAYS, listeners
from tui.demo.ports import free_port, is_free
from tui.demo.provider_server import MODEL_SHA256
from tui.demo.urls import answers, authority

DEMO_MODEL = "smollm2-135m-instruct"
GPU_MODEL = "smollm2-135m-local"
KEY_VARIABLE = "PEER2PROMPT_PROVIDER_KEY"
API_PORT = 8765
"""Where the local API is expected; another where a program has it."""

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
    models: tuple[str, ...] = ()
    mint: str | None = None
    key_file: Path | None = None
    gpu: bool = False
    """A ghost more that serves the model from its own process."""
    ghosts: int = 1
    features: tuple[str, ...] | None = None
    """What the provider's model can do beyond text; None leaves that to the ghosts."""
    api: bool = False
    """The client serves the local API."""


class Plan:
    """Ports, addresses and process specifications of one demo."""

    def __init__(self, home: DemoHome, wanted: Wanted) -> None:
        self.home = home
        self.wanted = wanted
        self.ports = self._choose_ports()
        self.mint_url = wanted.mint or f"http://127.0.0.1:{self.ports['mint']}"
        self.models = wanted.models or (DEMO_MODEL,)
        self.provider_url = wanted.provider_url or f"http://127.0.0.1:{self.ports['provider']}/v1"

    @property
    def listeners(self) -> tuple[str, ...]:
        """The nodes that others connect to."""
        return listeners(self.wanted.ghosts, gpu=self.wanted.gpu)

    @property
    def api_url(self) -> str:
        """Where the client serves the local API, if it does."""
        return f"http://127.0.0.1:{self.ports['api']}/v1"

    def _choose_ports(self) -> dict[str, int]:
        """Fresh ports, except the mint's: its URL is the name of the ecash in kept wallets; and the
        local API's where it is free, because programs have been told of it."""
        recalled = self.home.recall()
        kept = recalled.get("mint")
        taken: set[int] = set()
        ports: dict[str, int] = {}
        for name in (*self.listeners, "mint", "provider", "api"):
            ports[name] = free_port(LISTENERS.get(name, "127.0.0.1"), avoid=frozenset(taken))
            taken.add(ports[name])
        usual = recalled.get("api", API_PORT)
        if usual not in taken and is_free("127.0.0.1", usual):
            ports["api"] = usual
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
                    "exit": {"mint_hosts": [authority(self.mint_url)]},
                },
            )
        return [self._node(name) for name in RELAYS]

    def ghosts(self) -> list[Spec]:
        """The ghosts of the provider, and the GPU node if one is wanted."""
        found = [self.ghost(name) for name in GHOSTS[: self.wanted.ghosts]]
        return [*found, *([self.gpu()] if self.wanted.gpu else [])]

    def ghost(self, name: str) -> Spec:
        """One that asks the provider."""
        ghost: dict[str, object] = {
            "provider_url": self.provider_url,
            "mints": [self.mint_url],
            **PRICES,
        }
        if self.wanted.key_file is not None:
            ghost["provider_key_file"] = str(self.wanted.key_file)
        self.home.write_config(
            name,
            {
                "roles": ["ghost"],
                **self._listener(name),
                "wallet": {"mints": [self.mint_url], "via": "direct"},
                "ghost": ghost,
                "ghost.models": [self._offer(model) for model in self.models],
                "ghost.policy": {
                    feature: feature in (self.wanted.features or ())
                    for feature in ("images", "tools")
                },
            },
        )
        return self._node(name)

    def _offer(self, model: str) -> TomlTable:
        features = self.wanted.features
        more = {} if features is None else {"features": list(features)}
        return {"name": model, **more}

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
        listen = {"listen": f"127.0.0.1:{self.ports['api']}"}
        self.home.write_config(
            "client",
            {
                "roles": ["client"],
                "store": self.home.node_store("client"),
                "network": self._network(),
                "wallet": {"mints": [self.mint_url], "via": "circuit"},
                **({"api": listen} if self.wanted.api else {}),
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
            grace_s=30.0 if name == "client" else 15.0,
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
            ready_timeout_s=240.0,
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
                self.models[0],
            ),
            env={"HOME": str(folder), "PATH": os.defpath},
            cwd=folder,
            log=self.home.log("provider"),
            grace_s=10.0,
        )
