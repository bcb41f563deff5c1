"""The ledger's tables but proofs and operations: mints, keysets, counters, quotes, history,
credits. Every method runs inside the caller's transaction."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from wallet.ecash.keysets import Keyset
from wallet.errors import InsufficientFunds
from wallet.store.rows import Row, Rows

# An invoice without an end of its own is not asked about for longer than this.
OPEN_QUOTES_S = 7 * 86_400
MINT_QUOTE = "SELECT mint, quote_id, amount, invoice, expiry, private_key, state FROM mint_quotes"
MELT_QUOTE = "SELECT mint, quote_id, amount, fee_reserve, invoice, expiry, state FROM melt_quotes"
KEYSET = "SELECT keyset_id, unit, active, input_fee_ppk, final_expiry, keys FROM keysets"


@dataclass(frozen=True, slots=True)
class MintRow:
    url: str
    name: str
    info: str


@dataclass(frozen=True, slots=True)
class MintQuoteRow:
    mint: str
    quote_id: str
    amount: int
    invoice: str
    expiry: int | None
    private_key: bytes | None = field(repr=False)
    state: str


@dataclass(frozen=True, slots=True)
class MeltQuoteRow:
    mint: str
    quote_id: str
    amount: int
    fee_reserve: int
    invoice: str
    expiry: int | None
    state: str


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """`amount_sat` is positive for what came in, in the unit of the account `mint`
    (`wallet.accounts`). `detail` is for people and holds no secret."""

    ts: float
    kind: str
    mint: str
    amount_sat: int
    detail: str
    op_id: str | None


class Mints:
    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def put(self, url: str, name: str, info: str) -> None:
        self._rows.execute(
            "INSERT INTO mints VALUES (?, ?, ?, ?)"
            " ON CONFLICT (url) DO UPDATE SET name = excluded.name, info = excluded.info",
            (url, name, info, self._rows.now),
        )

    def get(self, url: str) -> MintRow | None:
        row = self._rows.row("SELECT url, name, info FROM mints WHERE url = ?", (url,))
        return MintRow(*row) if row else None

    def all(self) -> list[MintRow]:
        rows = self._rows.rows("SELECT url, name, info FROM mints ORDER BY added, url")
        return [MintRow(*row) for row in rows]

    def remove(self, url: str) -> None:
        """With its keysets; their counters stay."""
        self._rows.execute("DELETE FROM keysets WHERE mint = ?", (url,))
        self._rows.execute("DELETE FROM mints WHERE url = ?", (url,))

    def put_keyset(self, mint: str, keyset: Keyset) -> None:
        """Keep or replace a keyset of a mint."""
        keys = json.dumps({str(amount): key.hex() for amount, key in keyset.keys.items()})
        self._rows.execute(
            "INSERT OR REPLACE INTO keysets VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                mint,
                keyset.id,
                keyset.unit,
                keyset.active,
                keyset.input_fee_ppk,
                keyset.final_expiry,
                keys,
            ),
        )

    def keysets(self, mint: str) -> list[Keyset]:
        return [_keyset(row) for row in self._rows.rows(f"{KEYSET} WHERE mint = ?", (mint,))]


class Counters:
    """NUT-13 counters by keyset. What was taken is never given again."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def take(self, keyset_id: str, count: int) -> int:
        """The first of `count` fresh counters."""
        first = self.next(keyset_id)
        self.raise_to(keyset_id, first + count)
        return first

    def next(self, keyset_id: str) -> int:
        row = self._rows.row("SELECT next FROM counters WHERE keyset_id = ?", (keyset_id,))
        return int(row[0]) if row else 0

    def raise_to(self, keyset_id: str, counter: int) -> None:
        """Use no counter of this keyset below `counter` any more (NUT-13)."""
        self._rows.execute(
            "INSERT INTO counters VALUES (?, ?)"
            " ON CONFLICT (keyset_id) DO UPDATE SET next = max(next, excluded.next)",
            (keyset_id, counter),
        )


class Quotes:
    """Invoices to be paid by others (mint) and payments to make (melt), by their mint and the name
    that it gave them."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def put_mint(self, quote: MintQuoteRow) -> bool:
        """False, and nothing is changed, when this mint has used the name before."""
        return bool(
            self._rows.execute(
                "INSERT OR IGNORE INTO mint_quotes (mint, quote_id, amount, invoice, expiry,"
                " private_key, state, created) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    quote.mint,
                    quote.quote_id,
                    quote.amount,
                    quote.invoice,
                    quote.expiry,
                    quote.private_key,
                    quote.state,
                    self._rows.now,
                ),
            )
        )

    def get_mint(self, mint: str, quote_id: str) -> MintQuoteRow | None:
        row = self._rows.row(f"{MINT_QUOTE} WHERE mint = ? AND quote_id = ?", (mint, quote_id))
        return MintQuoteRow(*row) if row else None

    def mint_named(self, quote_id: str) -> list[MintQuoteRow]:
        """Those of any mint with this name."""
        rows = self._rows.rows(f"{MINT_QUOTE} WHERE quote_id = ?", (quote_id,))
        return [MintQuoteRow(*row) for row in rows]

    def open_mint(self) -> list[tuple[str, str]]:
        """(mint, name) of the invoices that may still be paid, or are and were not collected; the
        oldest first."""
        rows = self._rows.rows(
            "SELECT mint, quote_id FROM mint_quotes WHERE state <> 'ISSUED'"
            " AND (state = 'PAID' OR coalesce(expiry, ?) >= ?) AND created > ?"
            " ORDER BY created, mint, quote_id",
            (self._rows.now, self._rows.now, self._rows.now - OPEN_QUOTES_S),
        )
        return [(row[0], row[1]) for row in rows]

    def set_mint_state(self, mint: str, quote_id: str, state: str) -> None:
        self._rows.execute(
            "UPDATE mint_quotes SET state = ? WHERE mint = ? AND quote_id = ?",
            (state, mint, quote_id),
        )

    def put_melt(self, quote: MeltQuoteRow) -> bool:
        """As `put_mint`; a mint may say the same of the same payment again."""
        values = (quote.amount, quote.fee_reserve, quote.invoice, quote.expiry, quote.state)
        return bool(
            self._rows.execute(
                "INSERT INTO melt_quotes (mint, quote_id, amount, fee_reserve, invoice, expiry,"
                " state, created) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
                " ON CONFLICT DO UPDATE SET state = excluded.state WHERE amount = excluded.amount"
                " AND fee_reserve = excluded.fee_reserve AND invoice = excluded.invoice",
                (quote.mint, quote.quote_id, *values, self._rows.now),
            )
        )

    def get_melt(self, mint: str, quote_id: str) -> MeltQuoteRow | None:
        row = self._rows.row(f"{MELT_QUOTE} WHERE mint = ? AND quote_id = ?", (mint, quote_id))
        return MeltQuoteRow(*row) if row else None

    def melt_named(self, quote_id: str) -> list[MeltQuoteRow]:
        """Those of any mint with this name."""
        rows = self._rows.rows(f"{MELT_QUOTE} WHERE quote_id = ?", (quote_id,))
        return [MeltQuoteRow(*row) for row in rows]

    def set_melt_state(self, mint: str, quote_id: str, state: str) -> None:
        self._rows.execute(
            "UPDATE melt_quotes SET state = ? WHERE mint = ? AND quote_id = ?",
            (state, mint, quote_id),
        )


class History:
    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def add(
        self, kind: str, mint: str, amount_sat: int, detail: str = "", op_id: str | None = None
    ) -> None:
        """Note a move of money: `amount_sat` is positive for what came in."""
        self._rows.execute(
            "INSERT INTO history (ts, kind, mint, amount_sat, detail, op_id)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (self._rows.now, kind, mint, amount_sat, detail, op_id),
        )

    def latest(
        self, limit: int, text: str = "", mint: str = "", offset: int = 0
    ) -> list[HistoryEntry]:
        """The newest first, after `offset` of them. With `text` those that have it in their words
        or their mint, with `mint` those of one account."""
        rows = self._rows.rows(
            "SELECT ts, kind, mint, amount_sat, detail, op_id FROM history"
            " WHERE (? = '' OR mint = ?) AND (? = '' OR instr(lower(kind || ' ' || detail || ' '"
            " || mint), lower(?)) > 0) ORDER BY entry_id DESC LIMIT ? OFFSET ?",
            (mint, mint, text, text, limit, offset),
        )
        return [HistoryEntry(*row) for row in rows]


class CreditRows:
    """What we owe each session, changed together with the ledger."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def get(self, session_hash: bytes) -> int:
        """What a session has left, in msat; 0 for one that is not known."""
        row = self._rows.row(
            "SELECT credit_msat FROM credits WHERE session_hash = ?", (session_hash,)
        )
        return int(row[0]) if row else 0

    def add(self, session_hash: bytes, delta_msat: int) -> int:
        """Change a credit; returns the new one. Refuses to go below zero."""
        now = self.get(session_hash)
        if now + delta_msat < 0:
            raise InsufficientFunds(
                "The session's credit does not cover this.",
                needed_sat=-(delta_msat // 1000),
                available_sat=now // 1000,
                kept="The credit was not changed.",
            )
        self._rows.execute(
            "INSERT INTO credits (session_hash, credit_msat, updated) VALUES (?, ?, ?)"
            " ON CONFLICT (session_hash) DO UPDATE"
            " SET credit_msat = credit_msat + ?, updated = ?",
            (session_hash, delta_msat, self._rows.now, delta_msat, self._rows.now),
        )
        return now + delta_msat


def _keyset(row: Row) -> Keyset:
    keyset_id, unit, active, fee, expiry, keys = row
    points = {int(amount): bytes.fromhex(key) for amount, key in json.loads(keys).items()}
    return Keyset(keyset_id, unit, bool(active), fee, expiry, points)
