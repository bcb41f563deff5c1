"""The store's tables, as numbered steps. A step is never edited once released, only followed.

`schema_version` says which step the file is at and the oldest program (by step) that may still
read it. Each step and its record commit together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from wallet.errors import ForeignStore, NewerStore
from wallet.store.schema_chats import CHAT_TREE
from wallet.store.schema_ghost import GHOST_BOOKS

# "P2Ps" in PRAGMA application_id: tells our files from other SQLCipher databases.
APPLICATION_ID = 0x50325073


@dataclass(frozen=True, slots=True)
class Step:
    version: int
    readable_by: int
    statements: tuple[str, ...]


STEPS: tuple[Step, ...] = (
    Step(
        1,
        1,
        (
            "CREATE TABLE settings (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
            """CREATE TABLE secrets (
                ns TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL, PRIMARY KEY (ns, key)
            ) WITHOUT ROWID""",
            """CREATE TABLE guards (
                node_id TEXT PRIMARY KEY, data TEXT NOT NULL, updated REAL NOT NULL
            ) WITHOUT ROWID""",
            """CREATE TABLE chat_sessions (
                session_id TEXT PRIMARY KEY, title TEXT NOT NULL, model TEXT NOT NULL,
                created REAL NOT NULL, updated REAL NOT NULL,
                pinned INTEGER NOT NULL DEFAULT 0, archived INTEGER NOT NULL DEFAULT 0
            )""",
            """CREATE TABLE messages (
                message_id INTEGER PRIMARY KEY AUTOINCREMENT,
                session_id TEXT NOT NULL REFERENCES chat_sessions ON DELETE CASCADE,
                role TEXT NOT NULL, text TEXT NOT NULL, created REAL NOT NULL, meta TEXT NOT NULL
            )""",
            "CREATE INDEX messages_by_session ON messages (session_id, message_id)",
            """CREATE TABLE receipts (
                session_hash BLOB NOT NULL, n INTEGER NOT NULL, side TEXT NOT NULL,
                raw BLOB NOT NULL, ghost_sig BLOB NOT NULL, client_sig BLOB,
                cost_msat INTEGER NOT NULL, created REAL NOT NULL,
                PRIMARY KEY (session_hash, n, side)
            ) WITHOUT ROWID""",
            """CREATE TABLE credits (
                session_hash BLOB PRIMARY KEY, credit_msat INTEGER NOT NULL,
                session_key BLOB, updated REAL NOT NULL
            ) WITHOUT ROWID""",
            """CREATE TABLE earnings (
                earning_id INTEGER PRIMARY KEY, ts REAL NOT NULL, model TEXT NOT NULL,
                tokens_in INTEGER NOT NULL, tokens_out INTEGER NOT NULL,
                cost_msat INTEGER NOT NULL, refused INTEGER NOT NULL DEFAULT 0
            )""",
            "CREATE INDEX earnings_by_time ON earnings (ts)",
            """CREATE TABLE mints (
                url TEXT PRIMARY KEY, name TEXT NOT NULL, info TEXT NOT NULL, added REAL NOT NULL
            ) WITHOUT ROWID""",
            """CREATE TABLE keysets (
                mint TEXT NOT NULL REFERENCES mints (url), keyset_id TEXT NOT NULL,
                unit TEXT NOT NULL, active INTEGER NOT NULL, input_fee_ppk INTEGER NOT NULL,
                final_expiry INTEGER, keys TEXT NOT NULL, PRIMARY KEY (mint, keyset_id)
            ) WITHOUT ROWID""",
            # By keyset alone: the same mint under two addresses must not reuse a counter.
            "CREATE TABLE counters (keyset_id TEXT PRIMARY KEY, next INTEGER NOT NULL)"
            " WITHOUT ROWID",
            """CREATE TABLE operations (
                op_id TEXT PRIMARY KEY, kind TEXT NOT NULL, state TEXT NOT NULL,
                mint TEXT NOT NULL, dedup TEXT UNIQUE, body TEXT NOT NULL, result TEXT,
                error TEXT NOT NULL DEFAULT '', created REAL NOT NULL, updated REAL NOT NULL
            )""",
            "CREATE INDEX operations_open ON operations (state) WHERE state <> 'done'",
            """CREATE TABLE proofs (
                secret TEXT PRIMARY KEY, mint TEXT NOT NULL, keyset_id TEXT NOT NULL,
                amount INTEGER NOT NULL CHECK (amount > 0), signature BLOB NOT NULL,
                state TEXT NOT NULL CHECK (state IN ('available', 'reserved', 'sent')),
                op_id TEXT, created REAL NOT NULL
            ) WITHOUT ROWID""",
            "CREATE INDEX proofs_by_mint ON proofs (mint, state)",
            "CREATE INDEX proofs_by_op ON proofs (op_id)",
            """CREATE TABLE mint_quotes (
                quote_id TEXT PRIMARY KEY, mint TEXT NOT NULL, amount INTEGER NOT NULL,
                invoice TEXT NOT NULL, expiry INTEGER, private_key BLOB, state TEXT NOT NULL,
                created REAL NOT NULL
            )""",
            """CREATE TABLE melt_quotes (
                quote_id TEXT PRIMARY KEY, mint TEXT NOT NULL, amount INTEGER NOT NULL,
                fee_reserve INTEGER NOT NULL, invoice TEXT NOT NULL, expiry INTEGER,
                state TEXT NOT NULL, created REAL NOT NULL
            )""",
            """CREATE TABLE history (
                entry_id INTEGER PRIMARY KEY, ts REAL NOT NULL, kind TEXT NOT NULL,
                mint TEXT NOT NULL, amount_sat INTEGER NOT NULL, detail TEXT NOT NULL,
                op_id TEXT
            )""",
        ),
    ),
    Step(
        2,
        1,  # an older program shows an unfinished answer as it stands, and no more
        (
            """CREATE TABLE unfinished_answers (
                message_id INTEGER PRIMARY KEY REFERENCES messages ON DELETE CASCADE,
                ask_id TEXT NOT NULL, data BLOB NOT NULL, updated REAL NOT NULL
            )""",
        ),
    ),
    Step(
        3,
        1,  # an older program uses its one shape for every chat
        ("ALTER TABLE chat_sessions ADD COLUMN shape TEXT NOT NULL DEFAULT ''",),
    ),
    Step(
        4,
        4,  # an older program would hand out coins that rest, and cannot write the new column
        ("ALTER TABLE proofs ADD COLUMN ready REAL NOT NULL DEFAULT 0",),
    ),
    Step(
        5,
        4,
        (
            # Everything that balances and selection ask for, so that they read no proof.
            "CREATE INDEX proofs_by_worth"
            " ON proofs (state, mint, amount, keyset_id, ready, created)",
        ),
    ),
    Step(
        6,
        4,  # an older program chooses ghosts as it always did
        (
            """CREATE TABLE observations (
                observation_id INTEGER PRIMARY KEY AUTOINCREMENT,
                ghost BLOB NOT NULL, at INTEGER NOT NULL, seen TEXT NOT NULL, model TEXT NOT NULL,
                ttft_ms INTEGER NOT NULL, rate INTEGER NOT NULL, price INTEGER NOT NULL,
                grave INTEGER NOT NULL
            )""",
            "CREATE INDEX observations_by_ghost ON observations (ghost, grave, observation_id)",
            """CREATE TABLE evidence (
                digest BLOB PRIMARY KEY, ghost BLOB NOT NULL, kind TEXT NOT NULL,
                raw BLOB NOT NULL, own INTEGER NOT NULL, at INTEGER NOT NULL
            )""",
            "CREATE INDEX evidence_by_ghost ON evidence (ghost)",
            """CREATE TABLE signed_quotes (
                ghost BLOB NOT NULL, quote_id BLOB NOT NULL, raw BLOB NOT NULL,
                at INTEGER NOT NULL, PRIMARY KEY (ghost, quote_id)
            )""",
            """CREATE TABLE ghost_marks (
                ghost BLOB PRIMARY KEY, mark TEXT NOT NULL, at INTEGER NOT NULL
            ) WITHOUT ROWID""",
            """CREATE TABLE canaries (
                word TEXT PRIMARY KEY, ghost BLOB NOT NULL, at INTEGER NOT NULL
            )""",
        ),
    ),
    Step(
        7,
        7,  # an older program would write quotes in the old order of columns
        (
            # Each mint chooses the names of its quotes: only with its own they are unambiguous.
            """CREATE TABLE mint_quotes_7 (
                mint TEXT NOT NULL, quote_id TEXT NOT NULL, amount INTEGER NOT NULL,
                invoice TEXT NOT NULL, expiry INTEGER, private_key BLOB, state TEXT NOT NULL,
                created REAL NOT NULL, PRIMARY KEY (mint, quote_id)
            ) WITHOUT ROWID""",
            """INSERT INTO mint_quotes_7 SELECT
                mint, quote_id, amount, invoice, expiry, private_key, state, created
                FROM mint_quotes""",
            "DROP TABLE mint_quotes",
            "ALTER TABLE mint_quotes_7 RENAME TO mint_quotes",
            """CREATE TABLE melt_quotes_7 (
                mint TEXT NOT NULL, quote_id TEXT NOT NULL, amount INTEGER NOT NULL,
                fee_reserve INTEGER NOT NULL, invoice TEXT NOT NULL, expiry INTEGER,
                state TEXT NOT NULL, created REAL NOT NULL, PRIMARY KEY (mint, quote_id)
            ) WITHOUT ROWID""",
            """INSERT INTO melt_quotes_7 SELECT
                mint, quote_id, amount, fee_reserve, invoice, expiry, state, created
                FROM melt_quotes""",
            "DROP TABLE melt_quotes",
            "ALTER TABLE melt_quotes_7 RENAME TO melt_quotes",
            # What keeps a quote from being used twice is named alike. No quote id has a space.
            """UPDATE operations SET dedup = kind || ':' || mint || ' ' || substr(dedup, 6)
                WHERE kind IN ('mint', 'melt') AND dedup LIKE kind || ':%'
                AND instr(dedup, ' ') = 0""",
        ),
    ),
    # An older program would add messages beside the tree, and knows no index of words.
    Step(8, 8, CHAT_TREE),
    # An older ghost counts no costs.
    Step(9, 8, GHOST_BOOKS),
    Step(
        10,
        10,  # an older program would take locked coins for ordinary ones once a payment fails
        (
            """CREATE TABLE locked_coins (
                secret TEXT PRIMARY KEY, lot TEXT NOT NULL, mint TEXT NOT NULL, key TEXT NOT NULL,
                amount INTEGER NOT NULL, until INTEGER NOT NULL
            ) WITHOUT ROWID""",
            "CREATE INDEX locked_coins_by_lot ON locked_coins (lot)",
        ),
    ),
    Step(
        11,
        11,  # an older program would not know a payment that comes again
        (
            # Ecash of two mints may have the same secrets: only with its mint is it the same token.
            """UPDATE operations
                SET dedup = kind || ':' || mint || ' ' || substr(dedup, length(kind) + 2)
                WHERE kind IN ('receive', 'redeem', 'unlock') AND dedup LIKE kind || ':%'
                AND instr(dedup, ' ') = 0""",
        ),
    ),
)
CURRENT = STEPS[-1].version


def migrate(connection: Any, steps: tuple[Step, ...] = STEPS) -> None:
    """Bring the file to the newest step, or refuse a foreign or newer one."""
    check_origin(connection)
    have = version_of(connection)
    for step in steps:
        if step.version <= have:
            continue
        connection.execute("BEGIN IMMEDIATE")
        try:
            for statement in step.statements:
                connection.execute(statement)
            connection.execute("DELETE FROM schema_version")
            connection.execute(
                "INSERT INTO schema_version VALUES (?, ?)", (step.version, step.readable_by)
            )
            connection.execute("COMMIT")
        except BaseException:
            connection.execute("ROLLBACK")
            raise


def outdated(connection: Any) -> int:
    """The version of one of our files that `migrate` would change; 0 for none. Raises NewerStore
    and ForeignStore."""
    check_origin(connection)
    have = version_of(connection)
    return have if have < CURRENT else 0


def check_origin(connection: Any) -> None:
    """Ours, or empty and about to become ours."""
    (found,) = connection.execute("PRAGMA application_id").fetchone()
    if found == APPLICATION_ID:
        return
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if found != 0 or tables != 0:
        raise ForeignStore(
            "The file is a database of another program.",
            kept="It was not changed.",
            hint="Choose another path for the store.",
        )
    connection.execute("BEGIN IMMEDIATE")
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(
        "CREATE TABLE schema_version (version INTEGER NOT NULL, readable_by INTEGER NOT NULL)"
    )
    connection.execute("INSERT INTO schema_version VALUES (0, 0)")
    connection.execute("COMMIT")


def version_of(connection: Any) -> int:
    """The newest step the file has had. Raises NewerStore."""
    row = connection.execute("SELECT version, readable_by FROM schema_version").fetchone()
    if row is None:
        return 0
    version, readable_by = row
    if readable_by > CURRENT:
        raise NewerStore(
            f"The store was written by a newer version of the program (schema {version}).",
            kept="It was not changed.",
            hint="Update Peer2Prompt, or open the store with the newer program.",
        )
    return int(version)
