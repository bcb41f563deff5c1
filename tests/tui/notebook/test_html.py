"""What a notebook is given to show: nothing a stranger wrote may act, load or hide."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.control.protocol.asking import AskDone, AskResult, ReceiptInfo
from engine.control.protocol.sessions import Message, Part
from tests.tui.notebook.html_inspector import inspected
from tui.notebook.html import html
from tui.notebook.markdown import MAX_MARKDOWN, answer_html
from tui.notebook.plain import plain
from tui.notebook.reply import Messages, Reply, reply_of
from tui.notebook.results import Ghost, Model, Models, Status
from tui.notebook.view import Answered, Facts, Folded, Table, Verbatim, View, Words
from tui.notebook.wallet import Mints, Token

EVIL = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "![spy](https://spy.example/pixel.png)",
    "[click](javascript:alert(1))",
    "[click](https://spy.example/?me)",
    "<https://spy.example/>",
    "[ref]\n\n[ref]: https://spy.example 'title\" onmouseover=\"x'",
    '<a href="data:text/html,<script>">x</a>',
    "<style>body{background:url(https://spy.example)}</style>",
    "</div></td></table><iframe src=https://spy.example></iframe>",
    "```html\n<script>x</script>\n```",
    '```" onclick="x\ncode\n```',
    "|a|b|\n|-|:-:|\n|<b onclick=x>|`<i>`|",
    "# <svg onload=alert(1)>",
    "&lt;script&gt; &#60;script&#62; &#x3c;img src=x&#x3e;",
    "\\<script\\>",
    "<!-- <script> -->",
    "<p class='mathjax_process'>$\\href{javascript:x}{y}$</p>",
    "\x00\x1b]8;;https://spy.example\x07x\u202egnp.exe",
]


@pytest.mark.parametrize("evil", EVIL)
def test_what_a_ghost_writes_cannot_act(evil: str) -> None:
    inspected(answer_html(evil))
    views = [Answered(evil), Words(evil), Verbatim(evil), Folded(evil, evil), Facts([(evil, evil)])]
    inspected(html(View(evil, [*views, Table((evil,), [(evil,)], evil)])))
    part = Part(kind="call", name=evil, text=evil, id=evil)
    result = AskResult(answer=evil, model=evil, parts=[part, Part(kind="refusal", text=evil)])
    reply = reply_of(AskDone(ask_id=1, session_id=evil, result=result))
    inspected(reply._repr_html_())
    inspected(Messages([Message(message_id=1, role="assistant", text=evil)])._repr_html_())
    inspected(Models([Model(model=evil, ghost=evil, misfit=evil)])._repr_html_())
    inspected(Ghost(ghost=evil, words=[evil])._repr_html_())
    inspected(Status(node=evil, home=evil, warnings=[evil])._repr_html_())


@given(st.text() | st.lists(st.sampled_from([*EVIL, "*", "`", "[", "](", "\n", "|", ">", "-"])))
def test_no_text_at_all_can(text: str | list[str]) -> None:
    inspected(answer_html(text if isinstance(text, str) else "".join(text)))


@pytest.mark.parametrize("piece", ["[a", "![", "`a", "|a", "> ", "*a ", "&#", "<a "])
def test_long_and_twisted_texts_are_shown_in_time(piece: str) -> None:
    """By a bound on the work, not the clock: beyond it a text is shown as it came."""
    text = piece * (MAX_MARKDOWN // len(piece) + 1)
    shown = answer_html(text)
    inspected(shown)
    assert shown.startswith("<pre ")
    twisted = "[" * 3_000
    assert answer_html(twisted).startswith("<pre ")


def test_an_address_is_text_and_says_where_it_leads() -> None:
    shown = answer_html("See [my bank](https://evil.example) and <https://fine.example>.")
    assert inspected(shown) == "See my bank (https://evil.example) and https://fine.example."
    pictured = answer_html("![a cat](https://spy.example/cat.png)")
    assert inspected(pictured) == "[picture: a cat (https://spy.example/cat.png)]"


def test_markdown_reads_as_it_should() -> None:
    source = "## Two\n\n- a *b*\n\n3. c\n\n| x | y |\n|--:|---|\n| 1 | 2 |\n\n```py\nx < 1\n```"
    shown = answer_html(source)
    for wanted in (
        "<em>b</em>",
        '<ol start="3">',
        "text-align:right",
        "x &lt; 1",
        'role="heading"',
    ):
        assert wanted in shown
    assert "<h2" not in shown  # a stranger's headings stay out of the table of contents


def test_text_for_terminals_obeys_nobody() -> None:
    rows = Table(("h",), [("\x1b",)])
    shown = plain(View("\x1b[2J", [Words("\x1b]0;x\x07a"), Answered("b\x9bc\u202e"), rows]))
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert "\x9b" not in shown


def test_a_reply_tells_its_words_only_when_it_is_looked_at() -> None:
    result = AskResult(
        answer="The **secret** word.",
        model="m",
        tokens_in=3,
        tokens_out=1_200,
        cost_msat=412,
        receipts=[ReceiptInfo(n=1)],
        total_ms=4_100,
        parts=[Part(kind="reasoning", text="hm")],
    )
    reply = reply_of(AskDone(ask_id=1, session_id="abcdef0123", result=result))
    assert repr(reply) == "<Reply: 1,200 tokens, 0.412 sat>"
    assert "secret" not in repr([reply])
    assert str(reply) == "The **secret** word."
    shown = inspected(reply._repr_html_())
    assert "The secret word." in shown
    assert "m · 3 + 1,200 tokens · 0.412 sat · 1 receipt · 4.1 s · chat abcdef01" in shown
    assert isinstance(reply, Reply)


def test_money_is_not_shown_by_itself() -> None:
    token = Token(token="cashuBsecret", amount_sat=21)
    for shown in (repr(token), str(token), token._repr_html_()):
        assert "cashuB" not in shown
        assert "21 sat" in shown


def test_amounts_stand_to_the_right() -> None:
    heads = ("name", "cost", "share", "speed", "missing", "id")
    rows = [("a", "4 sat", "86 %", "12 ms", None, "32ccfaf2"), ("b", 1_000, 0.5, None, None, "7")]
    assert [Table(heads, rows).numeric(n) for n in range(6)] == [0, 1, 1, 1, 0, 0]
    assert plain(View("", [Table(heads[:2], [row[:2] for row in rows])])).splitlines() == [
        "name   cost",
        "a     4 sat",
        "b     1,000",
    ]


def test_nothing_to_show_says_so() -> None:
    assert "No ghost is known" in str(Models())
    assert "No ghost is known" in Models()._repr_html_()
    assert "add_mint" in str(Mints())
