"""Full-text search over all messages, by an index inside the encrypted file.

The index folds case, and diacritics of Latin letters (unicode61). It knows no words in scripts
without spaces, so a search with such characters reads the texts themselves: slower, and it finds
any part of them. Deleted words leave the index at once (FTS5 `secure-delete`), as deleted pages
leave the file.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from wallet.store.rows import Row
from wallet.store.transaction import Runner, Transaction

OPEN, CLOSE = "\ufdd0", "\ufdd1"
"""Noncharacters: no text that is interchanged has them."""
WORDS_AROUND = 24
CHARS_AROUND = 60
MAX_TERMS = 16
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff]"
)
_TERM = re.compile(r'"([^"]*)"|(\S+)')
_COLUMNS = "m.session_id, m.message_id, s.title, m.role, m.created, s.archived"
_JOINED = "JOIN chat_sessions s ON s.session_id = m.session_id"


@dataclass(frozen=True, slots=True)
class Hit:
    """A message with the words; `marks` are from and to in characters of `snippet`."""

    session_id: str
    message_id: int
    title: str = field(repr=False)
    role: str
    created: float
    archived: bool
    snippet: str = field(repr=False)
    marks: tuple[tuple[int, int], ...]


class Search:
    def __init__(self, store: Runner) -> None:
        self._store = store

    async def find(self, text: str, *, limit: int = 50, session_id: str | None = None) -> list[Hit]:
        """Messages with all these words, the newest first."""
        terms = terms_of(text)
        if not terms:
            return []
        if any(_UNSPACED.search(term) for term in terms):
            return await self._store.run(lambda tx: _scan(tx, terms, limit, session_id))
        return await self._store.run(lambda tx: _look_up(tx, terms, limit, session_id))


def terms_of(text: str) -> list[str]:
    """The words and phrases of a search, without what the index does not know."""
    found = [quoted or word for quoted, word in _TERM.findall(text.replace("\0", " "))]
    return [term for term in found if any(c.isalnum() for c in term)][:MAX_TERMS]


def query_of(terms: list[str]) -> str:
    """FTS5 syntax: every term quoted, so that nothing in it is an operator; the last one may be a
    beginning."""
    quoted = ['"' + term.replace('"', '""') + '"' for term in terms]
    return " ".join(quoted) + "*"


def _look_up(tx: Transaction, terms: list[str], limit: int, session_id: str | None) -> list[Hit]:
    rows = tx.rows(
        f"""SELECT {_COLUMNS}, snippet(message_words, 0, ?, ?, '…', ?)
            FROM message_words w JOIN messages m ON m.message_id = w.rowid {_JOINED}
            WHERE message_words MATCH ? AND (? IS NULL OR m.session_id = ?)
            ORDER BY w.rowid DESC LIMIT ?""",
        (OPEN, CLOSE, WORDS_AROUND, query_of(terms), session_id, session_id, limit),
    )
    return [_hit(row) for row in rows]


def _scan(tx: Transaction, terms: list[str], limit: int, session_id: str | None) -> list[Hit]:
    patterns = [re.sub(r"([%_\\])", r"\\\1", term) for term in terms]
    like = " AND ".join("m.text LIKE '%' || ? || '%' ESCAPE '\\'" for _ in patterns)
    rows = tx.rows(
        f"""SELECT {_COLUMNS}, m.text FROM messages m {_JOINED}
            WHERE {like} AND (? IS NULL OR m.session_id = ?)
            ORDER BY m.message_id DESC LIMIT ?""",
        (*patterns, session_id, session_id, limit),
    )
    return [_hit((*row[:-1], cut_out(row[-1], terms))) for row in rows]


def cut_out(text: str, terms: list[str]) -> str:
    """The surroundings of the first term, with all terms in them marked."""
    anyone = re.compile("|".join(re.escape(term) for term in terms), re.IGNORECASE)
    first = anyone.search(text)
    middle = first.start() if first else 0
    start, end = max(0, middle - CHARS_AROUND), middle + CHARS_AROUND
    piece = anyone.sub(lambda found: OPEN + found[0] + CLOSE, text[start:end])
    return "…" * (start > 0) + piece + "…" * (end < len(text))


def _hit(row: Row) -> Hit:
    session_id, number, title, role, created, archived, marked = row
    snippet, marks = unmark(marked)
    return Hit(session_id, number, title, role, created, bool(archived), snippet, marks)


def unmark(marked: str) -> tuple[str, tuple[tuple[int, int], ...]]:
    """A snippet and where in it the words are."""
    text: list[str] = []
    marks: list[tuple[int, int]] = []
    length, opened = 0, None
    for piece in re.split(f"([{OPEN}{CLOSE}])", marked):
        if piece == OPEN:
            opened = length
        elif piece == CLOSE:
            if opened is not None:
                marks.append((opened, length))
            opened = None
        else:
            text.append(piece)
            length += len(piece)
    return "".join(text), tuple(marks)
