"""Finds the environments that hold the demo's mint and its stand-in provider.

Both have pins that cannot live beside the program's, so they are environments of their own, made
by `make env`. This module only looks; it imports nothing from them.
"""

from __future__ import annotations

import os
from pathlib import Path

from tui.demo.errors import DemoError
from tui.demo.provider_server import MODEL_FILE, MODEL_PACKAGE

MINT_ENV_VARIABLE = "PEER2PROMPT_MINT_ENV"
PROVIDER_ENV_VARIABLE = "PEER2PROMPT_PROVIDER_ENV"
PROVIDER_SCRIPT = Path(__file__).with_name("provider_server.py")


def mint_program() -> Path:
    """The Nutshell mint's start script."""
    return _find(MINT_ENV_VARIABLE, ".venv-mint", "mint", "mint", "--mint URL")


def provider_python() -> Path:
    """The interpreter that has llama.cpp's server and the model."""
    return _find(
        PROVIDER_ENV_VARIABLE, ".venv-provider", "python", "stand-in provider", "--provider-url URL"
    )


def provider_model() -> Path:
    """The model file in the provider environment; also what the demo's GPU node serves."""
    environment = provider_python().parent.parent
    found = sorted(environment.glob(f"lib/python3*/site-packages/{MODEL_PACKAGE}/{MODEL_FILE}"))
    if not found:
        raise DemoError(
            f"The demo's model {MODEL_FILE} is not in {environment}.",
            hint="Run `make provider-env` in the source folder.",
            code="config",
            exit_code=2,
        )
    return found[0]


def _find(variable: str, folder: str, program: str, what: str, instead: str) -> Path:
    named = os.environ.get(variable)
    checkout = Path(__file__).resolve().parents[2]
    environment = Path(named).expanduser() if named else checkout / folder
    path = environment / "bin" / program
    if not path.exists():
        raise DemoError(
            f"The demo's {what} is not installed: there is no {path}.",
            hint=f"Run `make env` in the source folder, name an environment in {variable}, "
            f"or use your own with {instead}.",
            code="config",
            exit_code=2,
        )
    return path
