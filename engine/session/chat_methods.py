"""The methods of the control protocol that are about chats, each with who answers it."""

from __future__ import annotations

from collections.abc import Mapping

from engine.control.server import Handler
from engine.session.chat import ChatService


def chat_methods(chats: ChatService) -> Mapping[str, Handler]:
    """Method name to handler."""
    listing, exchange = chats.listing, chats.exchange
    return {
        "ask": chats.ask,
        "ask.cancel": chats.cancel,
        "ask.estimate": chats.estimates.estimate,
        "ask.failover": chats.failover,
        "ask.raw": chats.raw.ask,
        "shapes": listing.shapes,
        "sessions.archive": listing.archive,
        "sessions.branch": listing.branch,
        "sessions.choose": listing.choose,
        "sessions.create": listing.create,
        "sessions.defaults": listing.defaults,
        "sessions.delete": listing.delete,
        "sessions.edit": chats.edit,
        "sessions.export": exchange.export,
        "sessions.import": exchange.take_in,
        "sessions.list": listing.list_all,
        "sessions.messages": listing.messages,
        "sessions.pin": listing.pin,
        "sessions.rename": listing.rename,
        "sessions.retry": chats.retry,
        "sessions.rotate": chats.rotate,
        "sessions.search": exchange.search,
        "sessions.set": listing.change,
        "sessions.show": listing.show,
        "snippets.delete": exchange.delete_snippet,
        "snippets.list": exchange.snippets,
        "snippets.put": exchange.put_snippet,
    }
