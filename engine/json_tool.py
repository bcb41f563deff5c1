"""The end of a command line without a node: one JSON object on stdout, and an exit code."""

from __future__ import annotations

import json
from collections.abc import Callable

from engine.errors import Peer2PromptError
from wallet.errors import WalletError


def run_tool(work: Callable[[], object]) -> int:
    """Print what `work` gives, or `{"error": ...}` for an error of ours; the exit code."""
    try:
        print(json.dumps(work()))
    except (Peer2PromptError, WalletError) as error:
        print(json.dumps({"error": error.as_dict()}))
        return error.exit_code
    return 0
