"""`peer2prompt node`: becomes the node process. The node itself is not part of the faces."""

from __future__ import annotations

import argparse
import os
import sys

from tui.cli.call import home_of
from tui.cli.nodeproc import node_command, passphrase_pipe
from tui.cli.storekey import passphrase_for


def run(args: argparse.Namespace) -> int:
    """Replace this process by the node's. A passphrase goes over an inherited pipe."""
    home = home_of(args)
    reader = None
    if not {"-h", "--help"} & set(args.rest):
        passphrase = passphrase_for(home, args.config)
        if passphrase is not None:
            reader = passphrase_pipe(passphrase)
            os.set_inheritable(reader, True)
    command = node_command(home, config=args.config, passphrase_fd=reader) + args.rest
    if getattr(args, "passphrase_fd", None) is not None:
        command += ["--passphrase-fd", args.passphrase_fd]
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(command[0], command)
