"""Files that go with a question: texts in known encodings, pictures, and clear refusals."""

from __future__ import annotations

import base64
import codecs
from pathlib import Path
from typing import Any

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from engine.control.protocol.asking import Attachment
from engine.errors import Peer2PromptError
from engine.session.files.attach import (
    MAX_FILES,
    MAX_NAME,
    MAX_PICTURE_BYTES,
    MAX_TEXT_BYTES,
    BadAttachment,
    name_of,
    read_files,
)
from engine.session.prompt import content_of, messages_of
from engine.wire.policy import GhostPolicy
from engine.wire.quote import ModelOffer
from tests.engine.session.files.test_pictures import DIRTY_PNG, PNG
from tests.helpers.chat_world import ChatWorld, attachment, play
from tests.helpers.market_world import MODEL
from wallet.store import ChatMessage, Enclosed


def given_file(name: str, data: bytes, mime: str = "") -> Attachment:
    return Attachment(name, base64.b64encode(data).decode("ascii"), mime)


def only(name: str, data: bytes, mime: str = "") -> Enclosed:
    (found,) = read_files([given_file(name, data, mime)])
    return found


def message(text: str) -> ChatMessage:
    return ChatMessage(1, "c", "user", text, 0.0, {})


@pytest.mark.parametrize(
    ("data", "note"),
    [
        ("Grüße, Œuf 🧅".encode(), ""),
        (codecs.BOM_UTF8 + "Grüße, Œuf 🧅".encode(), ""),
        ("Grüße, Œuf 🧅".encode("utf-16"), "read as UTF-16"),
        ("Grüße, Œuf 🧅".encode("utf-32"), "read as UTF-32"),
    ],
)
def test_encodings(data: bytes, note: str) -> None:
    found = only("notes.txt", data)
    assert found == Enclosed("notes.txt", "text/plain", "Grüße, Œuf 🧅".encode(), note)


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("a.txt", b"", "is empty"),
        ("a.bin", bytes(range(256)), "neither a picture nor a text in UTF-8"),
        ("a.txt", b"latin \xe9", "neither"),
        ("a.txt", b"zero \0", "zero bytes"),
        ("a.txt", b"x" * (MAX_TEXT_BYTES + 1), "larger than 256 KiB"),
        ("a.png", b"no picture", "no PNG, JPEG, GIF or WebP"),
        ("a.jpg", PNG[:20], "damaged or cut short"),
        ("a.png", PNG + b"x" * MAX_PICTURE_BYTES, "larger than 512 KiB"),
    ],
)
def test_refusals_name_the_file_and_the_reason(name: str, data: bytes, words: str) -> None:
    with pytest.raises(BadAttachment, match=words) as caught:
        only(name, data)
    assert name in caught.value.message
    assert caught.value.kept == "Nothing was sent and nothing was paid."
    assert caught.value.hint


def test_numbers_and_sums_are_bounded() -> None:
    with pytest.raises(BadAttachment, match="too many"):
        read_files([given_file("a.txt", b"x")] * (MAX_FILES + 1))
    with pytest.raises(BadAttachment, match="together"):
        read_files([given_file("a.txt", b"x" * MAX_TEXT_BYTES)] * 3)
    with pytest.raises(BadAttachment, match="handed over"):
        read_files([Attachment("a.txt", "not base64!")])


def test_a_picture_says_what_was_done_to_it() -> None:
    found = only("holiday.jpeg", DIRTY_PNG)
    assert (found.mime, found.data) == ("image/png", PNG)
    assert (
        found.note == f"{len(DIRTY_PNG) - len(PNG)} bytes that are not the picture were taken out"
    )
    assert only("a.png", PNG).note == ""


@given(st.text(max_size=300))
def test_of_a_name_nothing_but_the_last_part_is_kept(name: str) -> None:
    found = name_of(f"/home/jane/{name}")
    assert "/home" not in found
    assert "/" not in found.replace("\\", "/") or found == "/"
    assert 1 <= len(found) <= MAX_NAME
    assert found.isprintable()


@given(st.text(alphabet="`\n ab", max_size=60), st.text(alphabet="`ab\n", max_size=40))
def test_a_text_cannot_end_its_own_fence(text: str, file: str) -> None:
    files = {1: [Enclosed("f.txt", "text/plain", file.encode())]}
    content = content_of(message(text), files)
    assert isinstance(content, str)
    assert content.startswith(text + "\n\nFile f.txt:\n```")
    fence = content.rsplit("\n", 1)[1]
    assert set(fence) == {"`"}
    assert fence not in file


def test_pictures_are_parts_of_the_content() -> None:
    files = {1: [Enclosed("a.txt", "text/plain", b"A"), Enclosed("p.png", "image/png", PNG)]}
    (system, user) = messages_of("Look.", [message("What?")], files)
    assert system == {"role": "system", "content": "Look."}
    assert user["content"][0] == {"type": "text", "text": "What?\n\nFile a.txt:\n```\nA\n```"}
    url = user["content"][1]["image_url"]["url"]
    assert url == "data:image/png;base64," + base64.b64encode(PNG).decode()


SEES = ModelOffer(MODEL, 1_000_000, 10_000_000, 1000, 1_000_000, 10_000_000, features=("images",))


def contents(world: ChatWorld) -> list[Any]:
    return [m["content"] for ghost in world.ghosts for m in (ghost.asked or [[]])[-1]]


def test_files_reach_the_model_and_stay_with_the_chat(tmp_path: Path) -> None:
    async def act(world: ChatWorld) -> None:
        await trio.sleep(1)
        await world.chats.desk.offers.models({})
        files = [attachment("/home/jane/a.txt", b"garlic"), attachment("p.png", DIRTY_PNG)]
        chat = (await world.ask("What is this?", attachments=files))["session_id"]
        (content,) = contents(world)
        assert "garlic" in content[0]["text"]
        assert "jane" not in str(content)
        sent = base64.b64decode(content[1]["image_url"]["url"].split(",")[1])
        assert sent == PNG
        (question, _answer) = await world.call("sessions.messages", session_id=chat)
        assert [a["name"] for a in question["attachments"]] == ["a.txt", "p.png"]
        assert "taken out" in question["attachments"][1]["note"]
        await world.ask("And now?", session_id=chat)
        assert contents(world)[0] == content
        started = await world.call(
            "sessions.edit", session_id=chat, message_id=question["message_id"], text="Again?"
        )
        await world.end_of(started["ask_id"])
        assert contents(world)[0][1] == content[1]

    policy = GhostPolicy(images=True)
    play(tmp_path, act, models=(SEES,), policy=policy)


def test_a_picture_for_a_model_that_takes_none_is_refused_in_words(tmp_path: Path) -> None:
    async def act(world: ChatWorld) -> None:
        await trio.sleep(1)
        await world.chats.desk.offers.models({})
        failed = await world.ask("What?", attachments=[attachment("p.png", PNG)])
        assert "takes no images" in failed["error"]["hint"]
        assert world.wallet.balance_sat == 1000
        assert not any(ghost.asked for ghost in world.ghosts)
        with pytest.raises(Peer2PromptError, match="empty"):
            await world.call("ask", text="  ")
        assert "result" in await world.ask("", attachments=[attachment("a.txt", b"Why?")])

    play(tmp_path, act)
