"""The tables of a ghost's day and of payouts, as they were made first (see `schema`)."""

from __future__ import annotations

GHOST_BOOKS = (
    """CREATE TABLE ghost_spending (
        entry_id INTEGER PRIMARY KEY AUTOINCREMENT, day INTEGER NOT NULL,
        model TEXT NOT NULL, micro_usd INTEGER NOT NULL, tokens INTEGER NOT NULL
    )""",
    """CREATE TABLE ghost_costs (
        day INTEGER NOT NULL, model TEXT NOT NULL, micro_usd INTEGER NOT NULL,
        cost_msat INTEGER NOT NULL, tokens_in INTEGER NOT NULL,
        tokens_out INTEGER NOT NULL, tokens INTEGER NOT NULL, answers INTEGER NOT NULL,
        PRIMARY KEY (day, model)
    ) WITHOUT ROWID""",
    """CREATE TABLE ghost_refusals (
        day INTEGER NOT NULL, reason TEXT NOT NULL, count INTEGER NOT NULL,
        PRIMARY KEY (day, reason)
    ) WITHOUT ROWID""",
    """CREATE TABLE payouts (
        payout_id INTEGER PRIMARY KEY AUTOINCREMENT, day INTEGER NOT NULL,
        mint TEXT NOT NULL, address TEXT NOT NULL, amount_sat INTEGER NOT NULL,
        most_fee_sat INTEGER NOT NULL, state TEXT NOT NULL,
        quote_id TEXT NOT NULL DEFAULT '', fee_sat INTEGER NOT NULL DEFAULT 0,
        error TEXT NOT NULL DEFAULT '', created REAL NOT NULL, updated REAL NOT NULL
    )""",
    "CREATE INDEX payouts_by_state ON payouts (state)",
)
