"""The public face for programs and notebooks: re-exports, nothing else.

    import peer2prompt

    async with peer2prompt.connect() as p:
        async for piece in p.chat("What is an onion?"):
            print(piece, end="")

Works under asyncio and trio, and as `p = await peer2prompt.connect()` from cell to cell. A node
must be running (`peer2prompt node`), or be started by `connect(start=True)`. In IPython and
Jupyter, `%load_ext peer2prompt` adds `%%ask` and `%p2p`. See docs/notebook.md.
"""

from __future__ import annotations

from tui.notebook.face import *  # noqa: F403
from tui.notebook.face import __all__ as __all__
