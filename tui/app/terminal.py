"""Textual's terminal driver, made to outlive its terminal.

Textual writes from a thread behind a bounded queue. When the terminal goes away that thread dies of
the first error, the queue fills, and the next write blocks the event loop for ever, so that not
even SIGHUP is handled. Here writing to a lost terminal succeeds and does nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import IO, TYPE_CHECKING, Any, cast

from textual.drivers.linux_driver import LinuxDriver

if TYPE_CHECKING:
    from textual.driver import Driver


class LosableFile:
    """A text file whose writes are dropped once the device behind it is gone."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file

    def write(self, text: str) -> int:
        return self._try(lambda: self._file.write(text))

    def flush(self) -> None:
        self._try(self._file.flush)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    @staticmethod
    def _try(action: Callable[[], int | None]) -> int:
        try:
            return action() or 0
        except (OSError, ValueError):  # EIO after a hang-up; closed file
            return 0


class OutlivingDriver(LinuxDriver):
    """Textual's driver over a file that can be lost."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        real = cast("IO[str]", self._file)
        self._file = cast("Any", LosableFile(real))


def outliving(driver: type[Driver]) -> type[Driver]:
    """Drivers that cope with what they write to going away, in place of Textual's own."""
    if driver.__name__ == "WebDriver":
        from tui.app.browser import VisitorDriver

        return VisitorDriver
    return OutlivingDriver if driver is LinuxDriver else driver
