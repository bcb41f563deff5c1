"""Asks whether another ghost may be shown a conversation after one failed."""

from __future__ import annotations

from textual.content import Content

from tui.app.conversation import Consent
from tui.app.panes.chat_deeds import ChatDeeds
from tui.app.text import plural
from tui.sizes import data_size

WORDS = (
    ("no", "No", "Nothing is shown to anybody. You can ask again later."),
    ("once", "This once", "One other ghost reads them and answers."),
    (
        "always",
        "Always in this conversation",
        "Whenever a ghost fails here, another one is asked at once.",
    ),
)


class ConsentDeeds(ChatDeeds):
    _asked_consent: Consent | None = None

    def ask_consent_once(self) -> None:
        """Put the question as soon as it is there and nothing else is in front."""
        consent = self.conversation.consent
        if consent is None or consent is self._asked_consent or self.peer.screen.is_modal:
            return
        self._asked_consent = consent
        self.peer.act(self.do_consent())

    async def do_consent(self) -> None:
        from tui.app.screens.pick import PickScreen

        conversation = self.conversation
        if (consent := conversation.consent) is None:
            self.peer.say("No question waits for another ghost.")
            return
        failed = f"The ghost {consent.ghost}" if consent.ghost else "The ghost"
        intro = (
            f"{failed} failed. Another ghost would be shown your question and "
            f"{plural(consent.messages, 'message')} of this conversation "
            f"({data_size(consent.bytes)}). It does not learn who you are, but it and its "
            "provider read them."
        )
        options = [
            (name, Content.assemble((title, "bold"), (f"\n  {words}", "$muted")))
            for name, title, words in WORDS
        ]
        word = await self.peer.push_screen_wait(
            PickScreen("Show it to another ghost?", intro, options)
        )
        if word is not None and conversation.live is None:
            await self.controller.failover(conversation, word)
