"""Starts one process of the demo so that it cannot outlive the demo.

Run as a script, `trampoline.py PARENT_PID PROGRAM ARGS...`: asks the kernel for SIGTERM when the
parent dies, checks that it has not died already, then becomes the program. A child that execs this
needs no code between fork and exec in the parent. Standard library only.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # prctl(2)


def main(argv: list[str]) -> int:
    parent, command = int(argv[1]), argv[2:]
    if sys.platform.startswith("linux"):
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0) != 0:
            print(f"warning: prctl failed with {ctypes.get_errno()}", file=sys.stderr)
    # The parent may have died before prctl: then the signal never comes.
    if os.getppid() != parent:
        return 0
    try:
        os.execv(command[0], command)
    except OSError as exc:
        print(f"cannot start {command[0]}: {exc.strerror}", file=sys.stderr)
        return 127


if __name__ == "__main__":
    sys.exit(main(sys.argv))
