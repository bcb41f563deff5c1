"""Every act of the screen, once: its name, words, keys and where it belongs.

Bindings, the command palette, the hint line and the help screen are all made from this table (with
the user's keys, see `keymap`), so they cannot disagree. The deeds themselves are `do_<name>`
methods of the app or of a pane.
"""

from __future__ import annotations

from tui.app.action import Action
from tui.app.acts import anywhere, chat, circuit, earnings, mints, network, settings

ACTIONS: tuple[Action, ...] = (
    *anywhere.ACTS,
    *chat.ACTS,
    *circuit.ACTS,
    *mints.ACTS,
    *earnings.ACTS,
    *network.ACTS,
    *settings.ACTS,
)
