"""Every error the wallet raises on purpose, with the words its user reads.

    WalletError
    ├── StoreError               the encrypted store (exit 3)
    │   ├── StoreMissing         there is no store at this path
    │   ├── WrongPassphrase      the passphrase or key file does not open it
    │   ├── StoreLocked          another process has it open
    │   ├── ForeignStore         the file is not a Peer2Prompt store
    │   ├── NewerStore           a newer program wrote it
    │   ├── StoreFull            nothing can be written: no room, or a read-only disk
    │   └── StoreDamaged         it is ours, but unreadable or cut short
    ├── InsufficientFunds        not enough available sat at this mint (exit 7)
    ├── TokenInvalid             a token is malformed, spent, locked or worthless (exit 2)
    ├── BadAmount                an amount that is not a positive number of sat (exit 2)
    ├── AddressRefused           a Lightning address that is none, is not reached, or lies (exit 5)
    ├── UnknownOperation         no such quote, payment or refund slot (exit 2)
    ├── PaymentInvalid           ecash offered to us does not pay what it should (exit 6)
    └── MintProblem              something about a mint (exit 5)
        ├── UntrustedMint        the mint is not on the user's list
        ├── WrongUnit            ecash of this unit cannot be used for it
        ├── MintUnreachable      no complete answer
        ├── MintError            the mint refused; `mint_code` is its own number
        ├── MintBusy             the mint holds the inputs or quote as pending
        ├── QuoteNotPaid         the invoice of a mint quote is unpaid
        └── MintLied             the answer is complete and wrong

A message is one sentence that says what happened; `kept` says what was kept safe; `hint` says what
to do. None of the three may hold a secret, a proof, an invoice or a passphrase.
"""

from __future__ import annotations


class WalletError(Exception):
    """Base of all errors of the wallet. `code` is stable for programs, `exit_code` for shells."""

    code = "wallet"
    exit_code = 1

    def __init__(self, message: str, *, kept: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.kept = kept
        self.hint = hint

    def as_dict(self) -> dict[str, str | int]:
        """The error as the control protocol and `--json` print it."""
        return {
            "code": self.code,
            "message": self.message,
            "kept": self.kept,
            "hint": self.hint,
            "exit_code": self.exit_code,
        }


class StoreError(WalletError):
    code = "store"
    exit_code = 3


class StoreMissing(StoreError):
    code = "store_missing"


class WrongPassphrase(StoreError):
    code = "wrong_passphrase"


class StoreLocked(StoreError):
    code = "store_locked"


class ForeignStore(StoreError):
    code = "store_foreign"


class NewerStore(StoreError):
    code = "store_newer"


class StoreFull(StoreError):
    """Nothing can be written now. What is stored can be read, and it may pass."""

    code = "store_full"


class StoreDamaged(StoreError):
    code = "store_damaged"


class InsufficientFunds(WalletError):
    code = "insufficient_funds"
    exit_code = 7

    def __init__(
        self,
        message: str,
        *,
        needed_sat: int,
        available_sat: int,
        reserved_sat: int = 0,
        kept: str = "",
        hint: str = "",
    ) -> None:
        super().__init__(message, kept=kept, hint=hint)
        self.needed_sat = needed_sat
        self.available_sat = available_sat
        self.reserved_sat = reserved_sat
        """In operations that have not come to their end; some of it may come back."""


class TokenInvalid(WalletError):
    code = "token_invalid"
    exit_code = 2


class BadAmount(WalletError):
    code = "bad_amount"
    exit_code = 2


class AddressRefused(WalletError):
    code = "address_refused"
    exit_code = 5


class UnknownOperation(WalletError):
    code = "unknown_operation"
    exit_code = 2


class PaymentInvalid(WalletError):
    """Ecash offered to us by a peer. Never the local user's fault."""

    code = "payment_invalid"
    exit_code = 6


class MintProblem(WalletError):
    code = "mint"
    exit_code = 5


class WrongUnit(MintProblem):
    code = "wrong_unit"


class UntrustedMint(MintProblem):
    code = "untrusted_mint"


class MintUnreachable(MintProblem):
    code = "mint_unreachable"


class MintError(MintProblem):
    """The mint refused. `mint_code` is the NUT error code (0 when it gave none)."""

    code = "mint_refused"

    def __init__(
        self, message: str, *, mint_code: int, detail: str = "", kept: str = "", hint: str = ""
    ) -> None:
        super().__init__(message, kept=kept, hint=hint)
        self.mint_code = mint_code
        self.detail = detail


class MintBusy(MintProblem):
    code = "mint_busy"


class QuoteNotPaid(MintProblem):
    code = "quote_not_paid"


class MintLied(MintProblem):
    code = "mint_lied"
