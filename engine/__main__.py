"""`python -m engine`: run a node in the foreground.

Says one line on stdout when it serves (`ready {json}`) or cannot (`error {json}`), so that whoever
started it knows; everything else goes to the log, without content.
"""

from __future__ import annotations

import argparse
import json
import logging
import logging.handlers
import os
import signal
import sys
from pathlib import Path

import trio

from engine.config import NodeConfig, load_config
from engine.errors import Peer2PromptError
from engine.footprint import return_start_up_memory
from engine.node import Node
from wallet.errors import WalletError

PARENT_ENV = "PEER2PROMPT_PARENT_PID"
PARENT_CHECK_S = 1.0
LOG_BYTES = 2 << 20
log = logging.getLogger("peer2prompt.node")


def main() -> int:
    """Run the node named by the command line; returns the exit code."""
    os.umask(0o077)
    options = _parser().parse_args()
    try:
        config = load_config(options.home, options.config, passphrase_fd=options.passphrase_fd)
        _set_up_log(config.home)
        trio.run(_run, config)
    except BaseException as error:
        return _end(_first(error))
    return 0


def _end(error: BaseException) -> int:
    """The exit code of an error that ended the node, told on stdout in words without content."""
    if isinstance(error, KeyboardInterrupt):
        return 130
    if isinstance(error, Peer2PromptError | WalletError):
        _tell(error)
        return error.exit_code
    if os.environ.get("PEER2PROMPT_DEBUG") == "1" or not isinstance(error, Exception):
        raise error
    kind = type(error).__name__
    log.error("the node ended on an internal error: %s", kind)
    internal = Peer2PromptError(
        f"The node ended on an internal error ({kind}).",
        kept="Ecash and chats are in the encrypted store; the journal is replayed at start.",
        hint="Start it again; if it happens twice, report the kind of error.",
    )
    return _end(internal)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m engine", description="Run a Peer2Prompt node.")
    parser.add_argument("--home", type=Path, required=True, help="folder that holds all state")
    parser.add_argument(
        "--config", type=Path, help="configuration file (default: HOME/config.toml)"
    )
    parser.add_argument(
        "--passphrase-fd", type=int, help="read the passphrase from this descriptor"
    )
    return parser


def _first(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _tell(error: Peer2PromptError | WalletError) -> None:
    """One line for a program, sentences for a person at a terminal."""
    if not sys.stdout.isatty():
        print("error " + json.dumps(error.as_dict()), flush=True)
        return
    for sentence in (error.message, error.kept, error.hint):
        if sentence:
            print(sentence, file=sys.stderr)


def _set_up_log(home: Path) -> None:
    folder = home / "log"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    handler = logging.handlers.RotatingFileHandler(
        folder / "node.log", maxBytes=LOG_BYTES, backupCount=2, encoding="utf-8"
    )
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    for noisy in ("httpx", "httpcore"):  # they log addresses
        logging.getLogger(noisy).setLevel(logging.ERROR)


async def _run(config: NodeConfig) -> None:
    node = Node(config)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_stop_on_signal, node)
        nursery.start_soon(_stop_without_parent, node)
        await nursery.start(node.run)
        return_start_up_memory()
        ready = {"node": node.short_id, "pid": os.getpid(), "socket": str(node.socket)}
        print("ready " + json.dumps(ready), flush=True)
        log.info("serving as %s", ", ".join(sorted(config.roles)))
        await node.stopped.wait()
        nursery.cancel_scope.cancel()
    log.info("stopped")


async def _stop_on_signal(node: Node) -> None:
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGHUP) as signals:
        async for _signal in signals:
            node.stop()


async def _stop_without_parent(node: Node) -> None:
    """A node started by somebody ends with it, even when that was killed."""
    parent = os.environ.get(PARENT_ENV, "")
    if not parent.isdigit():
        return
    while os.getppid() == int(parent):
        await trio.sleep(PARENT_CHECK_S)
    node.stop()


if __name__ == "__main__":
    sys.exit(main())
