"""The demo's own error: a sentence, what was kept, what to do. Holds no secret and no prompt."""

from __future__ import annotations

from engine.control.client import ControlError


class DemoError(ControlError):
    """The demo cannot start or go on. `exit_code` follows docs/cli.md."""

    code = "demo"
    exit_code = 1

    def __init__(
        self,
        message: str,
        *,
        kept: str = "",
        hint: str = "",
        code: str = "demo",
        exit_code: int = 1,
    ) -> None:
        super().__init__(message, kept=kept, hint=hint)
        self.code = code
        self.exit_code = exit_code


class Stopped(KeyboardInterrupt):
    """SIGINT, SIGTERM or SIGHUP reached the demo. A KeyboardInterrupt so that it passes through
    event loops and `except Exception`."""
