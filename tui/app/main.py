"""Starting the screen on a node's control socket. The only door other parts use."""

from __future__ import annotations

import gc
import os
import sys
from pathlib import Path

USAGE, INTERRUPTED = 2, 130
WEB_DRIVER = "web_driver:WebDriver"  # what `peer2prompt web` starts its visitors' screens with


def run_tui(socket: Path, *, earnings_socket: Path | None = None, theme: str | None = None) -> int:
    """Run until the user leaves; returns an exit code.

    `earnings_socket`: the control socket of another node, the demo's ghost, whose earnings the
    earnings pane shows. `theme`: the name of a theme, for this time only.
    """
    browser = os.environ.get("TEXTUAL_DRIVER", "").endswith(WEB_DRIVER)
    terminal = sys.stdin.isatty() and sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
    if not terminal and not browser:
        print(
            "The screen needs a real terminal. Without one, `peer2prompt ask` asks a question "
            "and `peer2prompt status` shows the node.",
            file=sys.stderr,
        )
        return USAGE
    gc.disable()  # nothing dies before the first paint; the app switches it on again after that
    from tui.app.app import PeerApp
    from tui.app.terminal import outliving

    app = PeerApp(socket, earnings_socket=earnings_socket, theme=theme)
    app.driver_class = outliving(app.driver_class)
    try:
        app.run(mouse=app.preferences.flag("mouse"))
    except KeyboardInterrupt:
        return INTERRUPTED
    return app.return_code or 0


if __name__ == "__main__":
    sys.exit(run_tui(Path(sys.argv[1])))
