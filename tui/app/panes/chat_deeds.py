"""What the deeds of the chat pane stand on: the conversation in front and the pane's widgets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui.app.action import pretty_key

if TYPE_CHECKING:
    from tui.app.app import PeerApp
    from tui.app.controller import Controller
    from tui.app.conversation import Conversation
    from tui.app.model import AppModel
    from tui.app.widgets.prompt import Prompt
    from tui.app.widgets.transcript import Transcript


class ChatDeeds:
    """Mixed into the chat pane, which has all of this."""

    peer: PeerApp
    model: AppModel
    controller: Controller
    prompt: Prompt
    transcript: Transcript

    @property
    def conversation(self) -> Conversation:
        return self.model.chat.current

    def key_of(self, name: str) -> str:
        """The key of an action, as the user has it, for words that mention it."""
        return self.peer.actions.by_name[name].key_words

    def short_key(self, name: str, place: int = 0) -> str:
        """One of the keys of an action."""
        keys = self.peer.actions.by_name[name].keys
        return pretty_key(keys[place]) if keys else "Ctrl+P"

    def to_prompt(self) -> None:
        """Bring the box for the question into view and go there."""
        raise NotImplementedError

    def free(self) -> bool:
        """Whether something can be asked now; the user is told why not."""
        if self.conversation.live is not None:
            self.peer.say("An answer is still under way. Esc stops it.", "warning")
        elif self.model.link.state != "up":
            self.peer.say("The node is not connected; your question stays in the box.", "warning")
        else:
            return True
        return False
