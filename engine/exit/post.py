"""Sends the answers of clients that went away to their mailboxes, each once.

A client is away when its circuit died, or when it was sent a bill and says nothing. Counts what it
sent and logs nothing about it.
"""

from __future__ import annotations

from engine.errors import WireError
from engine.exit.live import LiveSession
from engine.market.seams import Mailer

STUCK_S = 60.0
"""A client that takes no byte for this long has lost its circuit, whether or not it knows."""


class PostOffice:
    """Looks after the sessions whose client is away."""

    def __init__(self, mailer: Mailer, mail_after_s: float) -> None:
        self.letters = 0
        """Answers that were sent over one block at least."""
        self._mailer = mailer
        self._mail_after_s = mail_after_s

    def __repr__(self) -> str:
        return f"PostOffice(letters={self.letters})"

    async def visit(self, live: LiveSession) -> None:
        """Mail this session's answer if its client has been away for long enough."""
        if live.ended:
            return
        if live.stuck_s > STUCK_S:
            live.drop_stream()
        if live.session.awaits_mail and live.away_s > self._mail_after_s:
            await self.post(live)

    async def post(self, live: LiveSession) -> None:
        """Mail this session's answer now, if it is over; else bring it nearer to its end."""
        live.deliver_to_mail()
        answer = live.session.answer
        if answer is None:
            return
        blocks = answer.blocks
        try:
            limit = min(map(self._mailer.capacity, blocks), default=0)
            if letter := live.session.mail(limit):
                sent = await self._mailer.send(blocks, letter)
                self.letters += sent > 0
        except WireError:
            answer.blocks = ()  # a client that hands out broken blocks gets no letter
