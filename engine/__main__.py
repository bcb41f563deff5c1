"""`python -m engine`: run a node in the foreground.

Says one line on stdout when it serves (`ready {json}`) or cannot (`error {json}`), so that whoever
started it knows; everything else goes to the log, without content.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from functools import partial
from pathlib import Path

import trio

from engine.config import ROLES, NodeConfig, load_config
from engine.errors import ConfigError, Peer2PromptError
from engine.footprint import return_start_up_memory
from engine.home import check_home
from engine.log import say
from engine.log.events import NodeFailed, Serving, Stopped
from engine.log.setup import set_up
from engine.log.words import Fault, names
from engine.node import Node
from engine.service.attending import attend
from engine.service.notify import Notifier, watchdog_s
from engine.service.successor import become_successor
from wallet.errors import WalletError

PARENT_ENV = "PEER2PROMPT_PARENT_PID"
PARENT_CHECK_S = 1.0
SERVICE_DRAIN_S = 60.0  # docs/headless.md; the unit allows for it


def main() -> int:
    """Run the node named by the command line; returns the exit code."""
    os.umask(0o077)
    options = _parser().parse_args()
    try:
        config = load_config(options.home, options.config, passphrase_fd=options.passphrase_fd)
        check_home(config.home)
        _set_up_log(config)
        upgrade = trio.run(_run, config)
    except BaseException as error:
        return _end(_first(error))
    if upgrade:
        become_successor()
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
    say(NodeFailed(Fault.of(error)))
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


def _set_up_log(config: NodeConfig) -> None:
    try:
        set_up(config.log, config.home, os.environ)
    except OSError as error:
        raise ConfigError(
            f"The log cannot be written: {error.strerror}.",
            kept="Nothing was started.",
            hint="Check the home's rights and [log] to in config.toml.",
        ) from error


async def _run(config: NodeConfig) -> bool:
    """Serve to the end; True when another program takes over."""
    notifier = Notifier.of(os.environ)
    node, begun = Node(config, notifier), trio.current_time()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_stop_on_signal, node, notifier.is_heard)
        nursery.start_soon(_stop_without_parent, node)
        await nursery.start(node.run)
        return_start_up_memory()
        ready = {"node": node.short_id, "pid": os.getpid(), "socket": str(node.socket)}
        print("ready " + json.dumps(ready), flush=True)
        say(Serving(names(config.roles, ROLES), os.getpid()))
        notifier.ready()
        watchdog = watchdog_s(os.environ)
        nursery.start_soon(partial(attend, node, notifier, watchdog, ends=node.drain.wanted))
        await node.stopped.wait()
        nursery.cancel_scope.cancel()
    say(Stopped(round(trio.current_time() - begun)))
    return node.drain.upgrade


async def _stop_on_signal(node: Node, patient: bool) -> None:
    """A service lets answers finish; at a terminal whoever ends the node waits for it."""
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGHUP) as signals:
        async for _signal in signals:
            node.stop(SERVICE_DRAIN_S if patient else None, patient=patient)


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
