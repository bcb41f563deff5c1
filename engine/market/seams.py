"""What the market needs from the rest of the house, as Protocols: streams, wallet, store, signer.

The circuit layer implements `ByteStream`, `wallet.Wallet` both wallet halves and `wallet.Store`
the repositories. Types only; nothing here does anything.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from wallet.ecash.types import BlindSignature, Proof
from wallet.store.market import BilledAnswer, Earning, EarningTotals


class ByteStream(Protocol):
    """A reliable ordered byte stream over one circuit."""

    @property
    def circuit_tag(self) -> bytes: ...
    @property
    def peer_node_id(self) -> bytes: ...
    async def send_all(self, data: bytes) -> None: ...
    async def receive_some(self, max_bytes: int = 65536) -> bytes:
        """b"" at the authenticated end; CircuitClosed when cut without one."""
        ...

    async def send_eof(self) -> None: ...
    async def aclose(self) -> None: ...
    def set_busy(self, busy: bool) -> None:
        """A request is in progress: keep the shaped run going."""
        ...


class Mailer(Protocol):
    """Sends a letter over reply blocks. Both raise WireError for a block that is none."""

    def capacity(self, block: bytes) -> int:
        """How many bytes fit into the letter."""
        ...

    async def send(self, blocks: Sequence[bytes], data: bytes) -> int:
        """Send all of it over each block; returns over how many it left."""
        ...


class Pickup(Protocol):
    """A prepared way back for one letter: `block` goes to the ghost, `dump` to the store."""

    @property
    def block(self) -> bytes: ...
    @property
    def expires(self) -> float:
        """Unix seconds."""
        ...

    @property
    def cells(self) -> int: ...
    def dump(self) -> bytes: ...


class Fetched(Protocol):
    """What a visit to a mailbox brought: the letter's beginning, and whether that is all."""

    @property
    def data(self) -> bytes: ...
    @property
    def complete(self) -> bool: ...


class Mailboxes(Protocol):
    """Prepares and visits mailboxes. All but `load` raise NoRoute or CircuitClosed."""

    async def prepare(self, cells: int, ghost: bytes, beside: Sequence[Any]) -> Pickup:
        """A pickup for a letter of the ghost, over other relays than the pickups `beside`."""
        ...

    async def fetch(self, pickup: Any, *, done: Callable[[bytes], bool] | None) -> Fetched: ...
    async def discard(self, pickup: Any) -> None: ...
    def load(self, raw: bytes) -> Pickup:
        """A pickup from its dump. Raises WireError."""
        ...


class Signer(Protocol):
    """A node identity, as far as signing goes."""

    @property
    def public(self) -> bytes: ...
    @property
    def node_id(self) -> bytes: ...
    def sign(self, message: bytes) -> bytes: ...


class Payment(Protocol):
    """An outgoing payment, journalled before it was handed out."""

    @property
    def id(self) -> str: ...
    @property
    def mint(self) -> str: ...
    @property
    def amount_sat(self) -> int: ...
    @property
    def total_sat(self) -> int: ...
    @property
    def change_due_sat(self) -> int:
        """What the coins are worth beyond the payment and its fee."""
        ...

    @property
    def keyset_id(self) -> str: ...
    @property
    def proofs(self) -> Sequence[Proof]: ...
    @property
    def outputs(self) -> Sequence[bytes]: ...


class Refund(Protocol):
    """Blank outputs that wait for a refund."""

    @property
    def id(self) -> str: ...
    @property
    def keyset_id(self) -> str: ...
    @property
    def outputs(self) -> Sequence[bytes]: ...


class RedeemedPayment(Protocol):
    @property
    def received_sat(self) -> int: ...
    @property
    def change(self) -> Sequence[BlindSignature]: ...


class Outcome(Protocol):
    """What the mint said of a payment: settled (earlier), spent (taken) or reclaimed (back)."""

    @property
    def state(self) -> str: ...
    @property
    def returned_sat(self) -> int:
        """Of a payment that is back: what the mint's fee left of it."""
        ...


class PayingWallet(Protocol):
    """The client's half of the wallet."""

    @property
    def lock_chunks(self) -> str:
        """Whether payments are locked to a ghost's key: off, when-offered or always."""
        ...

    @property
    def max_chunk_sat(self) -> int:
        """The most a ghost may want ahead of an answer."""
        ...

    def fee_ppk(self, url: str) -> int:
        """What the mint takes for each coin of a payment (NUT-02), in 1/1000 sat. Raises a
        WalletError."""
        ...

    async def keep_exact(self, url: str, lot_sat: int, lots: int, least: int) -> None:
        """When there are coins for fewer than `least` payments of exactly `lot_sat`, make some for
        `lots`, as far as the money goes."""
        ...

    async def keep_locked(self, url: str, key: str, lot_sat: int, lots: int, least: int) -> None:
        """As `keep_exact`, of coins that only `key` (hex) can spend."""
        ...

    async def make_locked(self, url: str, key: str, amount_sat: int) -> None:
        """Lock coins for one payment of this amount."""
        ...

    async def pay_locked(self, url: str, amount_sat: int, key: str) -> Payment | None:
        """As `pay_prepare`, of coins locked to `key`; None when none are ready."""
        ...

    async def pay_prepare(self, url: str, amount_sat: int, purpose: str = ...) -> Payment: ...
    async def pay_settle(self, payment_id: str, change: Sequence[BlindSignature]) -> int: ...
    async def pay_abort(self, payment_id: str) -> None: ...
    async def pay_resolve(self, payment_id: str) -> Outcome: ...
    async def refund_outputs(self, url: str, max_sat: int) -> Refund: ...
    async def refund_settle(self, slot_id: str, change: Sequence[BlindSignature]) -> int: ...
    async def refund_resolve(self, slot_id: str) -> object: ...


class EarningWallet(Protocol):
    """The ghost's half of the wallet. Redeeming and refunding are idempotent and journalled."""

    async def lock_key(self) -> str:
        """A fresh public key (hex) that clients may lock payments to."""
        ...

    async def redeem(
        self,
        url: str,
        proofs: Sequence[Proof],
        price_sat: int,
        blank_outputs: Sequence[bytes],
        credit_session: bytes,
        keyset_id: str | None = None,
    ) -> RedeemedPayment: ...
    async def refund(
        self,
        url: str,
        amount_sat: int,
        blank_outputs: Sequence[bytes],
        credit_session: bytes,
        keyset_id: str | None = None,
    ) -> Sequence[BlindSignature]: ...


class SecretBook(Protocol):
    """Small sealed values by namespace and key."""

    async def get(self, ns: str, key: str) -> bytes | None: ...
    async def put(self, ns: str, key: str, value: bytes) -> None: ...
    async def delete(self, ns: str, key: str) -> None: ...
    async def keys(self, ns: str) -> list[str]: ...


class CreditBook(Protocol):
    """The ghost's persisted credit per session hash."""

    async def get(self, session_hash: bytes) -> int: ...
    async def bill(self, session_hash: bytes, answer: BilledAnswer) -> int: ...
    async def total_msat(self) -> int: ...


class KeptReceipt(Protocol):
    @property
    def n(self) -> int: ...
    @property
    def raw(self) -> bytes: ...


class ReceiptBook(Protocol):
    """Receipts of both roles; no text in them. `side` is "ghost" or "client"."""

    async def add(
        self,
        session_hash: bytes,
        n: int,
        raw: bytes,
        ghost_sig: bytes,
        *,
        side: str,
        cost_msat: int,
        client_sig: bytes | None = None,
    ) -> None: ...
    async def countersign(self, session_hash: bytes, n: int, client_sig: bytes) -> bool: ...
    async def list(self, session_hash: bytes, *, side: str) -> Sequence[KeptReceipt]: ...


class EarningsBook(Protocol):
    """What the ghost earned, per answer."""

    async def add(
        self,
        model: str,
        tokens_in: int,
        tokens_out: int,
        cost_msat: int,
        *,
        refused: bool = False,
        ts: float | None = None,
    ) -> None: ...
    async def totals(self, *, since: float = 0.0) -> EarningTotals: ...
    async def by_model(self) -> Sequence[tuple[str, int, int]]: ...
    async def recent(self, limit: int = 20) -> Sequence[Earning]: ...
    async def series(
        self, *, now: float, bucket_s: float = 60.0, buckets: int = 60
    ) -> Sequence[tuple[float, int]]: ...


class GhostStore(Protocol):
    """The parts of the store a ghost uses."""

    @property
    def credits(self) -> CreditBook: ...
    @property
    def receipts(self) -> ReceiptBook: ...
    @property
    def earnings(self) -> EarningsBook: ...


class UnfinishedBook(Protocol):
    """Records of answers under way, each with the message it is for."""

    async def begin(
        self, session_id: str, ask_id: str, data: bytes, *, parent: int | None = None
    ) -> int: ...
    async def update(self, message_id: int, data: bytes) -> None: ...


class ClientStore(Protocol):
    """The parts of the store the asking side uses."""

    @property
    def secrets(self) -> SecretBook: ...
    @property
    def receipts(self) -> ReceiptBook: ...
