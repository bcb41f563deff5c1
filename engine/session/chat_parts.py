"""What answers a question of a chat and what estimates it have at hand, made once for both."""

from __future__ import annotations

from dataclasses import dataclass

from engine.session.books import ChatBooks
from engine.session.composing import Composer
from engine.session.pinned import SessionDesk
from engine.session.pinning import PinBook


@dataclass(frozen=True, eq=False, repr=False)
class ChatParts:
    """The sessions, the chats and their ghosts, and what of a chat is sent."""

    desk: SessionDesk
    books: ChatBooks
    pins: PinBook
    composer: Composer
