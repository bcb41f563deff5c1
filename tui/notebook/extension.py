"""`%load_ext peer2prompt`: the two functions that IPython looks for. It is imported only then."""

from __future__ import annotations

from typing import Any

from tui.notebook.errors import wrong_use


def load_ipython_extension(ipython: Any) -> None:
    """Add `%ask`, `%%ask` and `%p2p` to this IPython. Nothing is connected before one is used."""
    try:
        from tui.notebook.magics import install
    except ModuleNotFoundError as exc:
        raise wrong_use(
            f"The magics need {exc.name}, which is not installed.",
            hint='Install it: pip install "peer2prompt[notebook]".',
        ) from None
    install(ipython)


def unload_ipython_extension(ipython: Any) -> None:
    """Take the magics away and hang up."""
    from tui.notebook.magics import remove

    remove(ipython)
