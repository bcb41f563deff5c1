"""The chat model: questions, events in any order, losses, restarts. No screen, no socket."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tui.app.chats import ChatModel
from tui.app.conversation import Conversation
from tui.app.message import Trouble

IDS = {"ask_id": "a1", "session_id": "s1"}


def _asked(question: str = "Why?") -> tuple[ChatModel, Conversation]:
    chat = ChatModel()
    conversation = chat.current
    chat.begin(conversation, question, now=0.0, wall=1000.0)
    return chat, conversation


def _stored(number: int, role: str, text: str, created: float = 1001.0) -> dict[str, Any]:
    return {"message_id": number, "role": role, "text": text, "created": created, "meta": {}}


def test_a_question_from_typing_to_its_cost() -> None:
    chat, conversation = _asked()
    assert [m.role for m in conversation.messages] == ["user", "assistant"]
    chat.accepted(conversation, IDS)
    chat.event("ask.state", {**IDS, "state": "building"}, 1.0)
    assert conversation.live is not None
    assert conversation.live.words().startswith("Building a circuit")
    chat.event("ask.paid", {"ask_id": "a1", "msat": 4000}, 1.0)
    chat.event("ask.delta", {**IDS, "text": "Bec", "offset": 0}, 2.0)
    assert conversation.live.state == "streaming"
    assert conversation.live.paid_msat == 4000
    result = {"answer": "Because.", "model": "m", "cost_msat": 7, "tokens_out": 2, "ttft_ms": 9}
    chat.event("ask.done", {**IDS, "result": result}, 3.0)
    answer = conversation.messages[-1]
    assert (answer.text, answer.cost_msat, answer.state) == ("Because.", 7, "done")
    assert conversation.live is None
    assert not chat.asks


def test_events_before_the_answer_to_the_call_are_not_lost() -> None:
    chat, conversation = _asked()
    chat.event("ask.state", {**IDS, "state": "streaming"}, 1.0)
    chat.event("ask.delta", {**IDS, "text": "Hi", "offset": 0}, 1.0)
    chat.accepted(conversation, IDS)
    assert conversation.messages[-1].text == "Hi"


@given(st.text(min_size=1), st.data())
def test_deltas_repeated_after_a_resume_show_once(answer: str, data: st.DataObject) -> None:
    answer = answer.replace("\r", "").encode("utf-8", "ignore").decode()
    raw = answer.encode()
    chat, conversation = _asked()
    chat.accepted(conversation, {"ask_id": "a1", "session_id": "s1"})
    sent, place = "", 0
    while place < len(answer):
        step = data.draw(st.integers(1, 5))
        back = data.draw(st.integers(0, 3)) if place else 0
        start = max(1, place - back) if place else 0
        piece = answer[start : place + step]
        offset = len(answer[:start].encode())
        chat.event("ask.delta", {**IDS, "text": piece, "offset": offset}, 1.0)
        place += step
        sent += piece
    chat.event("ask.done", {**IDS, "result": {"answer": raw.decode()}}, 2.0)
    before = conversation.messages[-1].text
    from tui.app.text import clean

    assert before == clean(answer)
    assert "\x1b" not in before


def test_overlap_is_cut_at_bytes() -> None:
    chat, conversation = _asked()
    chat.accepted(conversation, IDS)
    chat.event("ask.delta", {**IDS, "text": "héllo ", "offset": 0}, 1.0)
    chat.event("ask.delta", {**IDS, "text": "llo world", "offset": 3}, 1.0)
    assert conversation.messages[-1].text == "héllo world"


def test_the_whole_answer_mends_a_gap() -> None:
    chat, conversation = _asked()
    chat.accepted(conversation, IDS)
    chat.event("ask.delta", {**IDS, "text": "one ", "offset": 0}, 1.0)
    chat.event("ask.delta", {**IDS, "text": "three", "offset": 8}, 1.0)
    assert conversation.messages[-1].text == "one three"
    chat.event("ask.done", {**IDS, "result": {"answer": "one two three"}}, 2.0)
    assert conversation.messages[-1].text == "one two three"


def test_failure_keeps_the_question_and_retry_does_not_repeat_it() -> None:
    chat, conversation = _asked("Why?")
    chat.accepted(conversation, IDS)
    error = {"code": "no_route", "message": "No path.", "kept": "All.", "hint": "Wait."}
    chat.event("ask.failed", {**IDS, "error": error}, 1.0)
    assert conversation.messages[-1].trouble == Trouble("No path.", "All.", "Wait.", "no_route")
    assert conversation.can_retry()
    chat.begin(conversation, "Why?", 2.0, 1002.0)
    assert [m.text for m in conversation.messages] == ["Why?", ""]


def test_stopping_an_answer_keeps_what_came() -> None:
    chat, conversation = _asked()
    chat.accepted(conversation, IDS)
    chat.event("ask.delta", {**IDS, "text": "Part", "offset": 0}, 1.0)
    chat.stopping(conversation)
    chat.event("ask.state", {**IDS, "state": "streaming"}, 1.6)
    assert conversation.live is not None
    assert conversation.live.state == "stopping"
    chat.event("ask.done", {**IDS, "result": {"answer": "Part", "finish_reason": "cancelled"}}, 2)
    assert (conversation.messages[-1].state, conversation.messages[-1].text) == ("stopped", "Part")


def test_cancelled_before_the_first_word_is_no_error() -> None:
    chat, conversation = _asked()
    chat.accepted(conversation, IDS)
    chat.event("ask.failed", {**IDS, "error": {"code": "cancelled", "message": "x"}}, 1.0)
    assert conversation.messages[-1].trouble is None
    assert conversation.messages[-1].state == "stopped"


def test_a_restarted_node_ends_what_was_under_way_and_says_what_was_kept() -> None:
    chat, conversation = _asked()
    chat.accepted(conversation, IDS)
    chat.event("ask.delta", {**IDS, "text": "Half", "offset": 0}, 1.0)
    chat.node_restarted()
    trouble = conversation.messages[-1].trouble
    assert trouble is not None
    assert "journal" in trouble.kept
    assert conversation.messages[-1].text == "Half"


def test_an_answer_that_a_new_node_takes_up_goes_on_in_its_message() -> None:
    chat, conversation = _asked()
    chat.accepted(conversation, IDS)
    chat.event("ask.delta", {**IDS, "text": "Half", "offset": 0}, 1.0)
    chat.node_restarted()
    chat.event("ask.state", {**IDS, "state": "fetching"}, 9.0)
    answer = conversation.messages[-1]
    assert answer.trouble is None
    assert conversation.live is not None
    assert "mailboxes" in conversation.live.words()
    chat.event("ask.delta", {**IDS, "text": "lf an onion", "offset": 2}, 9.5)
    assert answer.text == "Half an onion"
    result = {"answer": "Half an onion", "by_mail": True, "mailboxes": 2}
    chat.event("ask.done", {**IDS, "result": result}, 10.0)
    assert conversation.live is None
    assert [m.text for m in conversation.messages] == ["Why?", "Half an onion"]
    assert (answer.state, answer.by_mail, answer.mailboxes) == ("done", True, 2)


def test_a_stored_answer_under_way_is_taken_up_by_its_events() -> None:
    """The screen was opened after the node had begun to look for the rest."""
    chat = ChatModel()
    stored = [_stored(1, "user", "Why?"), _stored(2, "assistant", "Half")]
    stored[1]["meta"] = {"state": "streaming"}
    chat.open("s1")
    chat.set_messages("s1", stored, complete=True)
    assert chat.current.live is None
    chat.event("ask.delta", {**IDS, "text": " an onion", "offset": 4}, 1.0)
    assert [m.text for m in chat.current.messages] == ["Why?", "Half an onion"]
    chat.set_messages("s1", stored, complete=True)
    assert [m.text for m in chat.current.messages] == ["Why?", "Half an onion"]
    chat.event("ask.done", {**IDS, "result": {"answer": "Half an onion."}}, 2.0)
    assert chat.current.messages[-1].text == "Half an onion."


def test_a_stored_answer_that_broke_off_says_why() -> None:
    chat = ChatModel()
    stored = [_stored(1, "user", "Why?"), _stored(2, "assistant", "Half")]
    error = {"code": "circuit", "message": "The way is lost.", "kept": "4 bytes.", "hint": "Ask."}
    stored[1]["meta"] = {"state": "cut", "error": error}
    chat.open("s1")
    chat.set_messages("s1", stored, complete=True)
    assert chat.current.messages[-1].trouble == Trouble(
        "The way is lost.", "4 bytes.", "Ask.", "circuit"
    )


def test_snapshot_during_an_answer_keeps_the_live_messages_last() -> None:
    chat, conversation = _asked()
    chat.accepted(conversation, IDS)
    chat.event("ask.delta", {**IDS, "text": "Now ", "offset": 0}, 1.0)
    live = conversation.messages[-1]
    stored = [
        _stored(1, "user", "Old?", 1.0),
        _stored(2, "assistant", "Old.", 2.0),
        _stored(3, "user", "Why?"),
    ]
    chat.set_messages("s1", stored, complete=True)
    assert [m.text for m in conversation.messages] == ["Old?", "Old.", "Why?", "Now "]
    assert conversation.messages[-1] is live


def test_an_answer_that_ended_while_the_link_was_down_is_taken_from_the_store() -> None:
    chat, conversation = _asked()
    chat.accepted(conversation, IDS)
    chat.event("ask.delta", {**IDS, "text": "Be", "offset": 0}, 1.0)
    chat.set_messages(
        "s1", [_stored(1, "user", "Why?"), _stored(2, "assistant", "Because.")], complete=True
    )
    assert conversation.live is None
    assert [m.text for m in conversation.messages] == ["Why?", "Because."]


def test_unchanged_messages_stay_the_same_objects() -> None:
    chat = ChatModel()
    chat.open("s1")
    chat.set_messages("s1", [_stored(1, "user", "A")], complete=True)
    first = chat.current.messages[0]
    chat.set_messages("s1", [_stored(1, "user", "A"), _stored(2, "assistant", "B")], complete=True)
    assert chat.current.messages[0] is first


def test_odd_fields_become_defaults() -> None:
    chat = ChatModel()
    chat.set_sessions([{"session_id": 3, "title": None}, "junk", None])
    assert chat.sessions[0].title == "Untitled"
    chat.set_sessions("junk")
    assert chat.sessions == []
    chat.event("ask.delta", {"ask_id": None}, 0.0)
    chat.open("s9")
    chat.set_messages("s9", [{"text": 4}, 7], complete=True)
    assert [m.text for m in chat.current.messages] == [""]


def test_an_error_survives_a_snapshot_that_knows_less_or_only_a_part() -> None:
    for stored in (
        [],
        [_stored(1, "user", "Why?")],
        [_stored(1, "user", "Why?"), _stored(2, "assistant", "Ha")],
    ):
        chat, conversation = _asked()
        chat.accepted(conversation, IDS)
        chat.event("ask.delta", {**IDS, "text": "Ha", "offset": 0}, 1.0)
        chat.event("ask.failed", {**IDS, "error": {"message": "Broken."}}, 2.0)
        chat.set_messages("s1", stored, complete=True)
        assert [m.text for m in conversation.messages] == ["Why?", "Ha"]
        assert conversation.messages[-1].trouble is not None
        assert conversation.can_retry()


def test_retry_leaves_the_part_that_came() -> None:
    chat, conversation = _asked("Why?")
    chat.accepted(conversation, IDS)
    chat.event("ask.delta", {**IDS, "text": "Be", "offset": 0}, 1.0)
    chat.event("ask.failed", {**IDS, "error": {"message": "Broken."}}, 2.0)
    chat.begin(conversation, "Why?", 3.0, 1003.0)
    assert [m.text for m in conversation.messages] == ["Why?", "Be", "Why?", ""]


def test_a_conversation_opened_before_it_was_listed_learns_its_model() -> None:
    chat = ChatModel()
    opened = chat.open("s2")
    chat.set_sessions([{"session_id": "s2", "title": "Meow", "model": "qwen3-32b"}])
    assert (opened.title, opened.model) == ("Meow", "qwen3-32b")
    opened.model = "chosen"
    chat.set_sessions([{"session_id": "s2", "title": "Meow", "model": "qwen3-32b"}])
    assert opened.model == "chosen"
