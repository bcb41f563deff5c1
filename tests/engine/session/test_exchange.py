"""Chats out to files and back: whole trees, strict reading, other programs' messages."""

from __future__ import annotations

import base64
import json
import os
import stat
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import Peer2PromptError
from engine.session import chat_file
from engine.session.chat_file import BadChatFile, write_chats
from engine.session.chat_foreign import read_any
from engine.session.chat_markdown import markdown_of
from tests.engine.session.files.test_pictures import DIRTY_PNG, PNG
from tests.helpers.chat_world import WORDS, ChatWorld, attachment, play
from wallet.store import Enclosed, Store
from wallet.store.trees import Node, Tree

ANSWER = "".join(WORDS)
TEXTS = st.text(st.characters(exclude_categories=("Cs",)), max_size=30)


@st.composite
def trees(draw: st.DrawFn) -> Tree:
    """Any chat: any shape of tree, roles, files, states."""
    nodes: list[Node] = []
    for number in range(1, draw(st.integers(0, 8)) + 1):
        role = draw(st.sampled_from(["user", "assistant", "system"]))
        parent = draw(st.sampled_from([None, *range(1, number)]))
        files = [
            Enclosed(draw(TEXTS), "text/plain", draw(st.binary(max_size=9)), draw(TEXTS))
            for _ in range(draw(st.integers(0, 2)) if role == "user" else 0)
        ]
        meta: dict[str, Any] = {}
        if role == "assistant":
            meta["state"] = draw(st.sampled_from(["done", "cancelled", "cut", "failed"]))
            if draw(st.booleans()):
                meta |= {"cost_msat": draw(st.integers(0, 10**9)), "model": draw(TEXTS) or "m"}
        raw = draw(st.none() | TEXTS) if role == "assistant" else None
        nodes.append(Node(number, parent, role, draw(TEXTS), 1.5, meta, raw, tuple(files)))
    return Tree(
        title=draw(TEXTS),
        model=draw(TEXTS),
        created=1.0,
        updated=2.0,
        nodes=nodes,
        leaf=draw(st.sampled_from([node.number for node in nodes])) if nodes else None,
        pinned=draw(st.booleans()),
        archived=draw(st.booleans()),
        shape=draw(st.sampled_from(["", "text", "bulk"])),
        settings={"system": "Be brief.", "params": {"seed": 1}} if draw(st.booleans()) else {},
    )


@given(st.lists(trees(), max_size=3))
@settings(max_examples=150)
def test_what_is_exported_is_imported_the_same(found: list[Tree]) -> None:
    assert read_any(write_chats(found), 9.0) == found


@pytest.mark.trio
@given(st.lists(trees(), min_size=1, max_size=2))
@settings(max_examples=60, deadline=None)
async def test_what_is_imported_is_exported_the_same(found: list[Tree]) -> None:
    async with await Store.in_memory() as store:
        ids = await store.trees.write(found)
        assert [await store.trees.read(one) for one in ids] == found


@given(st.lists(trees(), max_size=2), st.data())
@settings(max_examples=200)
def test_a_damaged_file_is_refused_or_whole(found: list[Tree], data: st.DataObject) -> None:
    text = write_chats(found)
    place = data.draw(st.integers(0, len(text)))
    damaged = (
        text[:place] + data.draw(st.text(max_size=3)) + text[place + data.draw(st.integers(0, 4)) :]
    )
    try:
        again = read_any(damaged, 9.0)
    except BadChatFile:
        return
    for tree in again:
        numbers = [node.number for node in tree.nodes]
        assert numbers == sorted(set(numbers))
        assert all(n.parent is None or n.parent < n.number for n in tree.nodes)


ODD_NUMBERS = st.sampled_from(
    ["NaN", "-Infinity", "1e400", "-1", "1e300", "253402300800", "1" + "0" * 400, "9" * 5000, "0.5"]
)
ODD_TEXTS = st.sampled_from(
    ['"\\ud800"', '"a\\udfffb"', '"\\u0000"', '"\\u202e\\u001b[2J"', '""', "5", "null", "[[]]"]
)


@st.composite
def odd_files(draw: st.DrawFn) -> str:
    """A file of chats in good form but for a few of its values."""
    left = draw(st.integers(0, 2))  # so many values are odd, or the file is hardly ever read

    def one(usual: str, odd: st.SearchStrategy[str]) -> str:
        nonlocal left
        if not left or draw(st.integers(0, 5)):
            return usual
        left -= 1
        return draw(odd)

    def n(usual: str) -> str:
        return one(usual, ODD_NUMBERS)

    def t() -> str:
        return one('"x"', ODD_TEXTS)

    meta = (
        f'{{"state":"done","model":{t()},"cost_msat":{n("1")},"tokens_in":{n("2")},'
        f'"ttft_ms":{n("3")}}}'
    )
    messages = (
        f'{{"id":1,"role":"user","text":{t()},"created":{n("1")},'
        f'"files":[{{"name":{t()},"mime":{t()},"data":"aGk=","note":{t()}}}]}},'
        f'{{"id":{n("2")},"role":"assistant","text":{t()},"parent":1,"raw":{t()},"meta":{meta}}}'
    )
    settings = (
        f'{{"system":{t()},"params":{{"temperature":{n("1")},"stop":{t()}}},'
        f'"rotate_after":{{"messages":{n("1")},"age_s":{n("2")},"spent_msat":{n("0")}}}}}'
    )
    form = json.dumps(chat_file.FORMAT)
    return (
        f'{{"format":{form},"version":1,"chats":[{{"title":{t()},"model":{t()},"created":{n("1")},'
        f'"updated":{n("2")},"shape":{t()},"settings":{settings},"messages":[{messages}]}}]}}'
    )


def of_another_program(draw: st.DataObject) -> str:
    content = draw.draw(ODD_TEXTS)
    return f'{{"title":{draw.draw(ODD_TEXTS)},"messages":[{{"role":"user","content":{content}}}]}}'


@pytest.mark.trio
@given(odd_files(), st.data())
@settings(max_examples=200, deadline=None)
async def test_a_file_of_odd_values_is_refused_or_kept_and_shown(
    own: str, data: st.DataObject
) -> None:
    """What is taken in is kept, exported, written as Markdown and told over the control socket."""
    text = own if data.draw(st.booleans()) else of_another_program(data)
    try:
        found = read_any(text, 9.0)
    except Peer2PromptError:
        return
    async with await Store.in_memory() as store:
        (number,) = await store.trees.write(found)
        tree = await store.trees.read(number)
    assert tree is not None
    assert read_any(write_chats([tree]), 9.0) == [tree]
    assert markdown_of(tree)
    told = msgspec.json.encode([[node.text, node.created, node.meta] for node in tree.nodes])
    assert msgspec.json.decode(told)[0][0] == tree.nodes[0].text


def chat(**changes: Any) -> str:
    one = {"title": "T", "messages": [{"id": 1, "role": "user", "text": "x"}], **changes}
    return json.dumps({"format": chat_file.FORMAT, "version": 1, "chats": [one]})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("no json", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("{}", "neither exported chats nor"),
        ("[]", "neither"),
        ("[1]", "Message 1 has a role"),
        (json.dumps({"format": chat_file.FORMAT, "version": 2, "chats": []}), "version 1"),
        (chat(color="red"), "does not follow its format"),
        (chat(leaf=2), "leaf"),
        (chat(title="t" * 500), "title"),
        (chat(settings={"params": {"messages": []}}), "not set by hand"),
        (chat(messages=[{"id": 1, "role": "tool", "text": "x"}]), "does not follow"),
        (chat(messages=[{"id": 1, "role": "user", "text": "x", "parent": 1}]), "stand before"),
        (chat(messages=[{"id": 2, "role": "user", "text": "x"}] * 2), "order"),
        (
            chat(messages=[{"id": 1, "role": "user", "text": "x", "files": [
                {"name": "a", "mime": "text/plain", "data": "!"}]}]),
            "base64",
        ),
        ('[{"role": "user", "content": 5}]', "no known form"),
        ('[{"role": "tool", "content": "x"}]', "cannot hold"),
        (
            '[{"role": "user", "content": [{"type": "image_url", "image_url":'
            ' {"url": "https://a/b.png"}}]}]',
            "not inside the file",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_and_nothing_kept(text: str, words: str) -> None:
    with pytest.raises(Peer2PromptError, match=words):
        read_any(text, 1.0)


def test_bounds_of_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chat_file, "MAX_MESSAGES", 2)
    with pytest.raises(BadChatFile, match="more than 2 messages"):
        read_any(chat(messages=[{"id": n, "role": "user", "text": "x"} for n in (1, 2, 3)]), 1.0)
    monkeypatch.setattr(chat_file, "MAX_TEXT", 2)
    with pytest.raises(BadChatFile, match="more than 2 characters"):
        read_any(chat(messages=[{"id": 1, "role": "user", "text": "xyz"}]), 1.0)


def test_messages_of_other_programs() -> None:
    url = "data:image/png;base64," + base64.b64encode(DIRTY_PNG).decode()
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "What is it?"},
                                     {"type": "image_url", "image_url": {"url": url}}]},
        {"role": "assistant", "content": "An onion.", "refusal": None},
        {"role": "user", "content": "Why?"},
    ]  # fmt: skip
    (tree,) = read_any(json.dumps(messages), 7.0)
    assert tree.settings == {"system": "Be brief."}
    assert tree.title == "What is it?"
    assert [(n.role, n.text, n.parent) for n in tree.nodes] == [
        ("user", "What is it?", None),
        ("assistant", "An onion.", 1),
        ("user", "Why?", 2),
    ]
    assert tree.nodes[0].files[0].data == PNG
    (named,) = read_any(json.dumps({"title": "T", "model": "m", "messages": messages}), 7.0)
    assert (named.title, named.model) == ("T", "m")
    two = read_any(json.dumps([{"messages": messages}, {"messages": messages[1:]}]), 7.0)
    assert [len(one.nodes) for one in two] == [3, 3]


def test_markdown_shows_every_message_once() -> None:
    def said(number: int, parent: int | None, role: str) -> Node:
        return Node(number, parent, role, f"words-{number}.", 0.0, {})

    nodes = [
        said(1, None, "user"),
        said(2, 1, "assistant"),
        said(3, 2, "user"),
        said(4, 1, "assistant"),
        said(5, 4, "user"),
        said(6, None, "user"),
    ]
    tree = Tree("Onions", "m", 0, 0, nodes, leaf=5, settings={"system": "Be\nbrief."})
    text = markdown_of(tree)
    assert text.startswith("# Onions\n\n> Be\n> brief.\n")
    places = [text.index(f"words-{number}.") for number in (1, 4, 5, 2, 3, 6)]
    assert places == sorted(places)
    assert all(text.count(f"words-{number}.") == 1 for number in range(1, 7))
    assert "*Another branch, from message 1 on:*" in text
    assert "*Another branch, from the beginning on:*" in text


def test_export_and_import_over_the_control_protocol(tmp_path: Path) -> None:
    async def act(world: ChatWorld) -> None:
        chat = (await world.ask("One?", attachments=[attachment("a.txt", b"garlic")]))["session_id"]
        (_, answer) = await world.call("sessions.messages", session_id=chat)
        started = await world.call(
            "sessions.retry", session_id=chat, message_id=answer["message_id"]
        )
        await world.end_of(started["ask_id"])
        await world.ask("Secret?", temporary=True)
        out = await world.call("sessions.export", session_id=chat)
        assert (out["sessions"], out["messages"]) == (1, 3)
        made = await world.call("sessions.import", data=out["text"])
        (new,) = made["sessions"]
        assert await world.texts(new) == ["One?", ANSWER]
        again = await world.call("sessions.messages", session_id=new)
        assert (again[1]["place"], len(again[1]["siblings"])) == (2, 2)
        assert again[0]["attachments"][0]["name"] == "a.txt"
        assert (await world.call("sessions.show", session_id=new))["pin"] is None
        assert len(await world.call("sessions.search", text="layers")) == 5

        path = tmp_path / "all.json"
        every = await world.call("sessions.export", all=True, path=str(path))
        assert (every["sessions"], every["text"]) == (2, "")
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
        assert "Secret?" not in path.read_text()
        with pytest.raises(Peer2PromptError, match="such a file already"):
            await world.call("sessions.export", all=True, path=str(path))
        with pytest.raises(Peer2PromptError, match="absolute"):
            await world.call("sessions.export", all=True, path="all.json")
        taken = await world.call("sessions.import", path=str(path))
        assert len(taken["sessions"]) == 2
        before = len(await world.call("sessions.list"))
        with pytest.raises(BadChatFile):
            await world.call("sessions.import", data=out["text"][:-9])
        assert len(await world.call("sessions.list")) == before
        marked = await world.call("sessions.export", session_id=chat, format="markdown")
        assert marked["text"].startswith("# One?")

    play(tmp_path, act)


def test_an_export_too_long_for_an_answer_asks_for_a_file(tmp_path: Path) -> None:
    async def act(world: ChatWorld) -> None:
        made = await world.call(
            "sessions.import",
            data=json.dumps([{"role": "user", "content": "x" * 1_000_000}] * 3),
        )
        (chat,) = made["sessions"]
        with pytest.raises(Peer2PromptError) as caught:
            await world.call("sessions.export", session_id=chat)
        assert caught.value.code == "export_too_long"
        await trio.sleep(0)

    play(tmp_path, act)


def test_snippets(tmp_path: Path) -> None:
    async def act(world: ChatWorld) -> None:
        await world.call("snippets.put", name="brief", text="Be brief.")
        await world.call("snippets.put", name="brief", text="Be briefer.")
        await world.call("snippets.put", name="a", text="")
        found = await world.call("snippets.list")
        assert found == [{"name": "a", "text": ""}, {"name": "brief", "text": "Be briefer."}]
        await world.call("snippets.delete", name="a")
        for name in ("", " ", "x" * 81, "a\nb"):
            with pytest.raises(Peer2PromptError, match="name"):
                await world.call("snippets.put", name=name, text="x")
        with pytest.raises(Peer2PromptError, match="no such snippet"):
            await world.call("snippets.delete", name="a")

    play(tmp_path, act)
