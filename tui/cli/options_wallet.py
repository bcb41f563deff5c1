"""The options of `peer2prompt wallet ...`. Declarations only."""

from __future__ import annotations

from tui.cli.argtypes import Subparsers, branch, positive
from tui.cli.options import command


def add_wallet(group: Subparsers) -> None:
    wallet = branch(
        group,
        "wallet",
        "the ecash wallet: fund, send, receive, pay, restore",
        ("peer2prompt wallet balance", ""),
        ("peer2prompt wallet fund 100", ""),
    )
    _add_wallet_views(wallet)
    _add_wallet_moves(wallet)
    _add_tokens(wallet)
    _add_requests(wallet)
    _add_policy(wallet)


def _add_wallet_views(wallet: Subparsers) -> None:
    info = command(
        wallet,
        "info",
        "cmd_wallet:info",
        "show the wallet in short",
        ("peer2prompt wallet info", ""),
        ("peer2prompt wallet info --nuts", "with the parts of the Cashu protocol it speaks"),
    )
    info.add_argument("--nuts", action="store_true", help="also list the protocol's parts")
    command(
        wallet,
        "balance",
        "cmd_wallet:balance",
        "show the balance at each mint",
        ("peer2prompt wallet balance", ""),
        ("peer2prompt wallet balance --json | jq .total_sat", ""),
    )
    command(
        wallet,
        "mints",
        "cmd_wallet:mints",
        "list the mints and their health",
        ("peer2prompt wallet mints", ""),
    )
    history = command(
        wallet,
        "history",
        "cmd_wallet:history",
        "list what moved, the latest first",
        ("peer2prompt wallet history --limit 10", ""),
        ("peer2prompt wallet history --find invoice", ""),
    )
    history.add_argument("--limit", type=positive, default=50, metavar="N", help="default: 50")
    history.add_argument("--find", default="", metavar="TEXT", help="only what has it in its words")
    history.add_argument("--mint", default="", metavar="URL", help="only what was at this mint")
    seed = command(
        wallet,
        "seed",
        "cmd_wallet:seed",
        "show the words that restore this wallet",
        ("peer2prompt wallet seed", "asks first: whoever reads them owns the ecash"),
    )
    seed.add_argument("--yes", action="store_true", help="do not ask")


def _add_wallet_moves(wallet: Subparsers) -> None:
    add = command(
        wallet,
        "add-mint",
        "cmd_wallet:add_mint",
        "trust a mint and use it from now on",
        ("peer2prompt wallet add-mint https://mint.example", "shows what it says, then asks"),
    )
    add.add_argument("--yes", action="store_true", help="do not ask")
    add.add_argument("url", metavar="URL", help="the mint's address")
    forget = command(
        wallet,
        "forget-mint",
        "cmd_wallet:forget_mint",
        "take a mint off the list that holds nothing of yours",
        ("peer2prompt wallet forget-mint https://mint.example", ""),
    )
    forget.add_argument("url", metavar="URL", help="the mint's address")
    fund = command(
        wallet,
        "fund",
        "cmd_fund:fund",
        "get an invoice; paying it puts ecash into the wallet",
        ("peer2prompt wallet fund 100", "prints the invoice and a QR code"),
        ("peer2prompt wallet fund 100 --wait", "and waits until it is paid"),
    )
    fund.add_argument(
        "amount", type=positive, metavar="SAT", help="how much; at a mint's #usd in cents"
    )
    fund.add_argument(
        "--spread", action="store_true", help="as the policy says: several mints, usual amounts"
    )
    fund.add_argument("--wait", action="store_true", help="wait until it is paid or expires")
    check = command(
        wallet,
        "check",
        "cmd_fund:check",
        "see whether a funding invoice was paid, and collect its ecash",
        ("peer2prompt wallet check 4d1c09", ""),
    )
    check.add_argument("quote", metavar="QUOTE", help="the id `wallet fund` printed")
    check.add_argument("--mint", default="", metavar="URL", help="whose id it is, if two gave it")
    pay = command(
        wallet,
        "pay",
        "cmd_fund:pay",
        "pay a Lightning invoice with ecash",
        (
            "peer2prompt wallet pay lnbc210n1...",
            "shows amount and fee, then asks; in parts of several mints when none has enough",
        ),
        ("peer2prompt wallet pay name@example.com 210", "a Lightning address, over circuits"),
        ("peer2prompt wallet pay --yes - < invoice.txt", ""),
    )
    pay.add_argument("invoice", metavar="INVOICE", help="an invoice or name@host; - reads it")
    pay.add_argument("amount", type=positive, nargs="?", metavar="SAT", help="for an address")
    pay.add_argument("--yes", action="store_true", help="do not ask")
    pay.add_argument(
        "--part",
        action="append",
        default=[],
        metavar="SAT@URL",
        help="pay this part from that mint; repeatable, for one invoice from several mints",
    )
    swap = command(
        wallet,
        "swap",
        "cmd_moves:swap",
        "swap every coin at a mint for a fresh one, so that copies of them are worth nothing",
        ("peer2prompt wallet swap https://mint.example", "costs the mint's fee for inputs"),
    )
    swap.add_argument("mint", metavar="URL", help="the mint")
    restore = command(
        wallet,
        "restore",
        "cmd_wallet:restore",
        "find this wallet's ecash at all mints, or one, from its seed",
        ("peer2prompt wallet restore", ""),
        ("peer2prompt wallet restore https://mint.example", ""),
    )
    restore.add_argument("url", nargs="?", metavar="URL", help="the mint (default: all)")
    move = command(
        wallet,
        "move",
        "cmd_moves:move",
        "move ecash from one mint to another by a Lightning payment; shows the fees, then asks",
        ("peer2prompt wallet move 100 --from https://a.example --to https://b.example", ""),
    )
    move.add_argument("amount", type=positive, metavar="SAT", help="how much arrives")
    move.add_argument("--from", dest="from_mint", required=True, metavar="URL", help="who pays")
    move.add_argument("--to", dest="to_mint", required=True, metavar="URL", help="who gets it")
    move.add_argument("--yes", action="store_true", help="do not ask")
    even = command(
        wallet,
        "rebalance",
        "cmd_moves:rebalance",
        "even out what lies at the mints; shows the moves and their fees, then asks",
        ("peer2prompt wallet rebalance --dry-run", "only shows; the mints are asked for quotes"),
        ("peer2prompt wallet rebalance --to https://a.example=3 --to https://b.example=1", ""),
    )
    even.add_argument(
        "--to",
        action="append",
        default=[],
        metavar="URL=SHARE",
        help="this mint's share as a weight; repeatable (default: the same for all)",
    )
    even.add_argument("--dry-run", action="store_true", help="show the moves and their fees only")
    even.add_argument("--yes", action="store_true", help="do not ask")
    for parser in (fund, pay):
        parser.add_argument("--mint", metavar="URL", help="mint to use (default: the node chooses)")


def _add_tokens(wallet: Subparsers) -> None:
    send = command(
        wallet,
        "send",
        "cmd_token:send",
        "take ecash out of the wallet as a token to hand over",
        ("peer2prompt wallet send 21", "whoever has the token has the money"),
        ("peer2prompt wallet send 21 --lock 02ab...", "only the owner of the key can take it"),
    )
    send.add_argument("amount", type=positive, metavar="SAT", help="how much")
    send.add_argument("--mint", metavar="URL", help="mint to use (default: the node chooses)")
    send.add_argument(
        "--lock",
        action="append",
        default=[],
        metavar="KEY",
        help="lock it to this key; repeatable",
    )
    send.add_argument(
        "--needs", type=positive, default=1, metavar="N", help="signatures needed (default: 1)"
    )
    send.add_argument("--hash", metavar="HEX", help="lock it to the SHA-256 of a preimage")
    send.add_argument(
        "--for-hours", type=positive, metavar="H", help="the lock holds so long; then refund keys"
    )
    send.add_argument(
        "--refund", action="append", default=[], metavar="KEY", help="a key that may take it back"
    )
    send.add_argument(
        "--sig-all", action="store_true", help="signatures must cover the whole request (SIG_ALL)"
    )
    sent = command(
        wallet,
        "sent",
        "cmd_sent:sent",
        "list the tokens that were handed out, and whether they were taken",
        ("peer2prompt wallet sent", ""),
        ("peer2prompt wallet sent --check", "asks the mints, which learn that somebody asks"),
    )
    sent.add_argument("--limit", type=positive, default=50, metavar="N", help="default: 50")
    sent.add_argument("--check", action="store_true", help="ask the mints about those that wait")
    back = command(
        wallet,
        "take-back",
        "cmd_sent:take_back",
        "put a token that nobody has taken back into the wallet",
        ("peer2prompt wallet take-back 1f3a", "the first letters of its id do"),
    )
    back.add_argument("id", metavar="ID", help="the id that `wallet sent` prints")
    receive = command(
        wallet,
        "receive",
        "cmd_token:receive",
        "put a token's ecash into the wallet",
        ("peer2prompt wallet receive - < token.txt", "keeps it out of the process list"),
        ("peer2prompt wallet receive cashuB...", ""),
    )
    receive.add_argument("token", metavar="TOKEN", help="the token; - reads it from stdin")
    receive.add_argument(
        "--allow-new-mint", action="store_true", help="also trust the mint it comes from"
    )
    receive.add_argument(
        "--preimage", default="", metavar="HEX", help="opens ecash locked to its hash"
    )
    command(
        wallet,
        "key",
        "cmd_token:key",
        "print a fresh key to which others can lock ecash for this wallet",
        ("peer2prompt wallet key", "one for each payer, so that they cannot be linked"),
    )
    cosign = command(
        wallet,
        "cosign",
        "cmd_token:cosign",
        "add this wallet's signatures to a token locked to several keys",
        ("peer2prompt wallet cosign - < token.txt", ""),
    )
    cosign.add_argument("token", metavar="TOKEN", help="the token; - reads it from stdin")


def _add_requests(wallet: Subparsers) -> None:
    request = command(
        wallet,
        "request",
        "cmd_token:request",
        "print a payment request for ecash, locked to this wallet",
        ("peer2prompt wallet request 21 --text coffee", ""),
        ("peer2prompt wallet request", "the payer chooses the amount"),
    )
    request.add_argument("amount", type=positive, nargs="?", metavar="SAT", help="how much")
    request.add_argument("--text", default="", metavar="TEXT", help="what it is for")
    request.add_argument(
        "--compact", action="store_true", help="in capitals (NUT-26), for a smaller QR code"
    )
    request.add_argument("--unlocked", action="store_true", help="let anybody take the token")
    pay = command(
        wallet,
        "pay-request",
        "cmd_token:pay_request",
        "pay a payment request with ecash",
        ("peer2prompt wallet pay-request creqA...", "prints the token when it cannot deliver it"),
    )
    pay.add_argument("request", metavar="REQUEST", help="the request; - reads it from stdin")
    pay.add_argument("amount", type=positive, nargs="?", metavar="SAT", help="if it is left open")
    pay.add_argument("--yes", action="store_true", help="do not ask")


def _add_policy(wallet: Subparsers) -> None:
    policy = command(
        wallet,
        "policy",
        "cmd_policy:policy",
        "show or change what keeps a mint from linking your funding with your questions",
        ("peer2prompt wallet policy", "each choice with its cost"),
        ("peer2prompt wallet policy --rest 60 600 --spread 2", ""),
        ("peer2prompt wallet policy --wake", "spend what rests now, and give that hiding up"),
    )
    policy.add_argument(
        "--rest", nargs=2, type=float, metavar=("MIN", "MAX"), help="seconds that fresh coins rest"
    )
    policy.add_argument("--round-up", choices=("on", "off"), help="round invoices up")
    policy.add_argument("--spread", type=positive, metavar="N", help="mints to fund at once")
    policy.add_argument("--ahead", type=int, metavar="N", help="payments to have coins ready for")
    policy.add_argument("--ahead-sat", type=positive, metavar="SAT", help="size of each of them")
    policy.add_argument(
        "--lock-chunks",
        choices=("off", "when-offered", "always"),
        help="pay ghosts with coins that only they can spend",
    )
    policy.add_argument(
        "--max-chunk-sat", type=positive, metavar="SAT", help="the most a ghost may want ahead"
    )
    policy.add_argument(
        "--even", type=int, metavar="PERCENT", help="spread evenly by itself from so much on; 0: no"
    )
    policy.add_argument("--wake", action="store_true", help="let coins that rest be spent now")
