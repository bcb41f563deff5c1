"""The command palette: every action of the table, and what can be chosen by name."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, cast

from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.types import IgnoreReturnCallbackType

from tui.app import profile, themes
from tui.app.text import ellipsis

if TYPE_CHECKING:
    from tui.app.app import PeerApp

Command = tuple[str, str, IgnoreReturnCallbackType]


class Commands(Provider):
    """Commands of the app in front."""

    @property
    def peer(self) -> PeerApp:
        return cast("PeerApp", self.app)

    def _fixed(self) -> Iterator[Command]:
        for action in self.peer.actions.all:
            if action.name == "palette":
                continue
            keys = f"  ({action.key_words})" if action.keys else ""
            yield action.title, action.help + keys, partial(self.peer.perform, action.name)

    def _chosen(self) -> Iterator[Command]:
        for name in themes.available(self.peer.config):
            yield f"Theme: {name}", "Use these colours.", partial(self.peer.use_theme, name)
        for one in profile.PROFILES.values():
            yield f"Profile: {one.title}", one.meaning, partial(self.peer.use_profile, one.name)
        for offer in {offer.name for offer in self.peer.model.offers}:
            yield (
                f"Model: {offer}",
                "Ask this model from now on.",
                partial(self.peer.use_model, offer),
            )
        for shape in self.peer.model.shapes:
            yield f"Shape: {shape.name}", shape.cost, partial(self.peer.use_shape, shape.name)
        for info in self.peer.model.chat.sessions:
            title = ellipsis(info.title, 60)
            yield (
                f"Open: {title}",
                "Go on with this conversation.",
                partial(self.peer.open_session, info.session_id),
            )

    async def discover(self) -> Hits:
        for title, words, run in self._fixed():
            yield DiscoveryHit(title, run, help=words)

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for title, words, run in [*self._fixed(), *self._chosen()]:
            score = matcher.match(title)
            if score > 0:
                yield Hit(score, matcher.highlight(title), run, help=words)
