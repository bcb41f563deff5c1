"""The file of exported chats: JSON with a version, whole trees, described in docs/chats.md.

Reading is strict and bounded: what does not follow the format is refused in words, and nothing of
it is kept. Pure.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Annotated, Any, Literal, TypeAlias, cast

import msgspec

from engine.errors import Peer2PromptError
from engine.session.chat_settings import ChatSettings
from wallet.store import Enclosed
from wallet.store.trees import Node, Tree

FORMAT = "peer2prompt chats"
VERSION = 1
MAX_FILE_BYTES = 64 * 1024 * 1024
MAX_CHATS = 10_000
MAX_MESSAGES = 200_000
MAX_TEXT = 4_000_000
MAX_TITLE = 400
MAX_MOMENT = 253_402_300_799
"""Seconds since 1970: the last of the year 9999, after which there are no dates."""
MAX_COUNT = 1 << 53
Role: TypeAlias = Literal["system", "developer", "user", "assistant"]


class BadChatFile(Peer2PromptError):
    """A file of chats cannot be read. Nothing was kept of it."""

    code = "chat_file"
    exit_code = 2

    def __init__(self, message: str) -> None:
        super().__init__(
            message, kept="Nothing was imported.", hint="The format is described in docs/chats.md."
        )


class Closed(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Base of all objects of the file."""


Moment: TypeAlias = Annotated[float, msgspec.Meta(ge=0, le=MAX_MOMENT)]
Count: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=MAX_COUNT)]


class FileInfo(Closed, frozen=True):
    name: str
    mime: str
    data: str
    note: str = ""


class Meta(Closed, frozen=True):
    """What is known of an answer."""

    state: Literal["done", "cancelled", "cut", "failed"] = "done"
    model: str = ""
    cost_msat: Count | None = None
    tokens_in: Count | None = None
    tokens_out: Count | None = None
    ttft_ms: Moment | None = None


class MessageInfo(Closed, frozen=True):
    id: int
    role: Role
    text: str
    parent: int | None = None
    created: Moment = 0.0
    raw: str | None = None
    meta: Meta = Meta()
    files: list[FileInfo] = []


class ChatInfo(Closed, frozen=True):
    title: str
    messages: list[MessageInfo]
    model: str = ""
    created: Moment = 0.0
    updated: Moment = 0.0
    leaf: int | None = None
    pinned: bool = False
    archived: bool = False
    shape: str = ""
    settings: dict[str, Any] = {}


class ChatFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    format: str
    version: int
    chats: list[ChatInfo]


def write_chats(trees: Sequence[Tree]) -> str:
    """The text of a file with these chats."""
    file = ChatFile(FORMAT, VERSION, [_chat_info(tree) for tree in trees])
    return msgspec.json.format(msgspec.json.encode(file), indent=1).decode("utf-8")


def read_chats(file: dict[str, Any]) -> list[Tree]:
    """The chats in a file that was decoded. Raises BadChatFile."""
    if file.get("version") != VERSION:
        raise BadChatFile(f"This program reads version {VERSION} of the file of chats.")
    try:
        found = msgspec.convert(file, ChatFile)
    except msgspec.ValidationError as exc:
        raise BadChatFile(f"The file of chats does not follow its format: {exc}.") from exc
    if len(found.chats) > MAX_CHATS:
        raise BadChatFile(f"The file holds more than {MAX_CHATS} chats.")
    if sum(len(chat.messages) for chat in found.chats) > MAX_MESSAGES:
        raise BadChatFile(f"The file holds more than {MAX_MESSAGES} messages.")
    return [_tree(chat) for chat in found.chats]


def _chat_info(tree: Tree) -> ChatInfo:
    return ChatInfo(
        title=tree.title,
        model=tree.model,
        created=tree.created,
        updated=tree.updated,
        leaf=tree.leaf,
        pinned=tree.pinned,
        archived=tree.archived,
        shape=tree.shape,
        settings=tree.settings,
        messages=[_message_info(node) for node in tree.nodes],
    )


def _message_info(node: Node) -> MessageInfo:
    state = node.meta.get("state", "done")
    known = {
        name: node.meta[name]
        for name in ("model", "cost_msat", "tokens_in", "tokens_out", "ttft_ms")
        if node.meta.get(name) is not None
    }
    return MessageInfo(
        id=node.number,
        role=cast("Role", node.role),
        text=node.text,
        parent=node.parent,
        created=node.created,
        raw=node.raw,
        # An answer under way is exported as what it is by now.
        meta=Meta(state="cut" if state == "streaming" else state, **known),
        files=[
            FileInfo(f.name, f.mime, base64.b64encode(f.data).decode("ascii"), f.note)
            for f in node.files
        ],
    )


def _tree(chat: ChatInfo) -> Tree:
    if len(chat.title) > MAX_TITLE:
        raise BadChatFile(f"A title has more than {MAX_TITLE} characters.")
    nodes: list[Node] = []
    numbers: set[int] = set()
    last = 0
    for message in chat.messages:
        if message.id <= last:
            raise BadChatFile("The messages of a chat are not in the order of their numbers.")
        if message.parent is not None and message.parent not in numbers:
            raise BadChatFile("A message follows one that does not stand before it.")
        last = message.id
        numbers.add(last)
        nodes.append(_node(message))
    if chat.leaf is not None and chat.leaf not in numbers:
        raise BadChatFile("The leaf of a chat is none of its messages.")
    return Tree(
        title=chat.title,
        model=chat.model,
        created=chat.created,
        updated=chat.updated,
        nodes=nodes,
        leaf=chat.leaf if chat.leaf is not None else (last or None),
        pinned=chat.pinned,
        archived=chat.archived,
        shape=chat.shape,
        settings=ChatSettings.of(chat.settings).checked().plain(),
    )


def _node(message: MessageInfo) -> Node:
    if max(len(message.text), len(message.raw or "")) > MAX_TEXT:
        raise BadChatFile(f"A message has more than {MAX_TEXT} characters.")
    meta = msgspec.to_builtins(message.meta) if message.role == "assistant" else {}
    return Node(
        number=message.id,
        parent=message.parent,
        role=message.role,
        text=message.text,
        created=message.created,
        meta={"state": "done", **meta} if message.role == "assistant" else meta,
        raw=message.raw,
        files=tuple(_file(file) for file in message.files),
    )


def _file(file: FileInfo) -> Enclosed:
    try:
        data = base64.b64decode(file.data, validate=True)
    except (binascii.Error, ValueError):
        raise BadChatFile("An enclosed file is not valid base64.") from None
    return Enclosed(file.name, file.mime, data, file.note)
