"""Which parts of the Cashu protocol (NUTs) this wallet speaks: for `wallet info` and the docs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Nut:
    """`support` is yes, part or no; `note` says what is missing or how it is used."""

    number: int
    name: str
    support: str
    note: str = ""


NUTS: tuple[Nut, ...] = (
    Nut(0, "tokens and blind signatures", "yes", "V4 read and written, V3 read"),
    Nut(1, "mint keys", "yes", "refused when the keyset id does not commit to them"),
    Nut(2, "keysets and fees", "yes", "ids of version 1 and 2, short ids"),
    Nut(3, "swap", "yes"),
    Nut(4, "mint", "yes"),
    Nut(5, "melt", "yes"),
    Nut(6, "mint information", "yes"),
    Nut(7, "state of proofs", "yes", "asked before anything is given up"),
    Nut(8, "change of a melt", "yes"),
    Nut(9, "restore", "yes", "of exact outputs after a lost answer, and from the seed words"),
    Nut(10, "spending conditions", "yes"),
    Nut(11, "ecash locked to keys", "yes", "SIG_ALL too, with all keys in one wallet"),
    Nut(12, "proof of the right key (DLEQ)", "yes", "asked of every signature; never handed on"),
    Nut(13, "secrets from a seed", "yes", "also those of locked sends and their change"),
    Nut(14, "ecash locked to a hash", "yes"),
    Nut(15, "payments of several mints", "yes", "chosen by the wallet when no mint has enough"),
    Nut(17, "live updates over a websocket", "yes", "while somebody waits; else the mint is asked"),
    Nut(18, "payment requests", "yes", "by hand or HTTPS over a circuit; not by Nostr"),
    Nut(19, "cached answers", "yes", "identical requests are repeated; not relied upon"),
    Nut(20, "signed mint quotes", "yes", "where the mint announces it"),
    Nut(23, "Lightning invoices", "yes", "BOLT11"),
    Nut(24, "ecash for a web page (HTTP 402)", "no", "nothing here reads the web"),
    Nut(26, "payment requests in Bech32m", "yes", "read, and written for QR codes"),
    Nut(28, "locks to blinded keys", "no", "a fresh key for each payer does the same by hand"),
)
