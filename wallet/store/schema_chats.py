"""The steps of the schema that are about chats. Statements only; never edited once released."""

from __future__ import annotations

CHAT_TREE = (
    "ALTER TABLE messages ADD COLUMN parent INTEGER REFERENCES messages"
    " CHECK (parent < message_id)",
    "ALTER TABLE messages ADD COLUMN raw TEXT",
    "CREATE INDEX messages_by_parent ON messages (parent, session_id)",
    """UPDATE messages SET parent = (
        SELECT max(p.message_id) FROM messages p
        WHERE p.session_id = messages.session_id AND p.message_id < messages.message_id
    )""",
    "ALTER TABLE chat_sessions ADD COLUMN leaf INTEGER",
    """UPDATE chat_sessions SET leaf = (
        SELECT max(message_id) FROM messages m
        WHERE m.session_id = chat_sessions.session_id
    )""",
    "ALTER TABLE chat_sessions ADD COLUMN settings TEXT NOT NULL DEFAULT '{}'",
    """CREATE TABLE chat_pins (
        session_id TEXT PRIMARY KEY REFERENCES chat_sessions ON DELETE CASCADE,
        data BLOB NOT NULL, since REAL NOT NULL,
        messages INTEGER NOT NULL, spent_msat INTEGER NOT NULL
    ) WITHOUT ROWID""",
    """CREATE TABLE message_files (
        message_id INTEGER NOT NULL REFERENCES messages ON DELETE CASCADE,
        place INTEGER NOT NULL, name TEXT NOT NULL, mime TEXT NOT NULL,
        note TEXT NOT NULL, data BLOB NOT NULL, PRIMARY KEY (message_id, place)
    )""",
    "CREATE TABLE snippets (name TEXT PRIMARY KEY, text TEXT NOT NULL) WITHOUT ROWID",
    # The index keeps no texts of its own: it reads those of `messages`.
    """CREATE VIRTUAL TABLE message_words USING fts5 (
        text, content = 'messages', content_rowid = 'message_id',
        tokenize = 'unicode61 remove_diacritics 2'
    )""",
    "INSERT INTO message_words (message_words, rank) VALUES ('secure-delete', 1)",
    "INSERT INTO message_words (message_words) VALUES ('rebuild')",
    """CREATE TRIGGER words_in AFTER INSERT ON messages BEGIN
        INSERT INTO message_words (rowid, text) VALUES (new.message_id, new.text);
    END""",
    """CREATE TRIGGER words_out AFTER DELETE ON messages BEGIN
        INSERT INTO message_words (message_words, rowid, text)
        VALUES ('delete', old.message_id, old.text);
    END""",
    """CREATE TRIGGER words_anew AFTER UPDATE OF text ON messages
    WHEN old.text IS NOT new.text BEGIN
        INSERT INTO message_words (message_words, rowid, text)
        VALUES ('delete', old.message_id, old.text);
        INSERT INTO message_words (rowid, text) VALUES (new.message_id, new.text);
    END""",
)
"""Messages become a tree (a chat so far is one branch), with files, settings, an index of words."""
