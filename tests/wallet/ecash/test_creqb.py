"""Payment requests in Bech32m (NUT-26): the official vectors, and strictness."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wallet.ecash import bech32, conditions, creqb, quotes, requests
from wallet.ecash.errors import EcashError
from wallet.ecash.requests import PaymentRequest, PostTarget

KEY = quotes.public_key(b"\x07" * 32)
MINT = "https://mint.example.com"
# github.com/cashubtc/nuts, 26.md and tests/26-test.md (read in November 2026).
COFFEE = (
    "CREQB1QYQQWER9D4HNZV3NQGQQSQQQQQQQQQQRAQPSQQGQQSQQZQG9QQVXSAR5WPEN5TE0D45KUAPWV4UXZMTSD3JJU"
    "CM0D5RQQRJRDANXVET9YPCXZ7TDV4H8GXHR3TQ"
)
WRITTEN = {
    COFFEE: PaymentRequest("demo123", 1000, "sat", (MINT,), "Coffee payment", True),
    "CREQB1QYQQSDMXX3SNYC3N8YPSQQGQQ5QPS6R5W3C8XW309AKKJMN59EJHSCTDWPKX2TNRDAKSYP0LHG": (
        PaymentRequest("7f4a2b39", None, "sat", (MINT,))
    ),
    "CREQB1QYQQJER9WD347AR9WD6QYQQGQQQQQQQQQQQXGQCQQYQQ2QQCDP68GURN8GHJ7MTFDE6ZUETCV9KHQMR99E3K7MGX"
    "QQV9GETNWSS8QCTED4JKUAPQV3JHXCMJD9C8G6T0DCFLJJRX": (
        PaymentRequest("desc_test", 100, "sat", (MINT,), "Test payment description")
    ),
    "CREQB1QYQQJATWD9697MTNV96QYQQGQQQQQQQQQQP7SQCQQ3KHXCT5Q5QPS6R5W3C8XW309AKKJMN59EJHSCTDWPKX2TNRD"
    "AKSYYMU95": PaymentRequest("unit_msat", 1000, "msat", (MINT,)),
    "CREQB1QYQQCMTFDE5K6CTVTA58GARSQVQQZQQ9QQVXSAR5WPEN5TE0D45KUAPWV4UXZMTSD3JJUCM0D5RSQ8SPQQ"
    "QSZQSQZA58GARSWVAZ7TMPWP5JUETCV9KHQMR99E3K7MG0TWYGX": PaymentRequest(
        *("minimal_http", None, "sat", (MINT,)),
        transports=(PostTarget("post", "https://api.example.com"),),
    ),
}
READ = {
    # Nostr, and with it two POST targets with tags: the POST targets in their order.
    "CREQB1QYQQ7MT4D36XJHM5WFSKUUMSDAE8GQSQPQQQQQQQQQQQRAQRQQQSQPGQRP58GARSWVAZ7TMDD9H8GTN90P"
    "SK6URVV5HXXMMDQCQZQ5RP09KK2MN5YPMKJARGYPKH2MR5D9CXCEFQW3EXZMNNWPHHYARNQUQZ7QGQQYQQYQPQ80"
    "CVV07TJDRRGPA0J7J7TMNYL2YR6YR7L8J4S3EVF6U64TH6GKWSXQQ9Q9HQYVFHQUQZWQGQQYQSYQPQDP68GURN8G"
    "HJ7CTSDYCJUETCV9KHQMR99E3K7MF0WPSHJMT9DE6QWQP6QYQQZQGZQQSXSAR5WPEN5TE0V9CXJV3WV4UXZMTSD3"
    "JJUCM0D5HHQCTED4JKUAQRQQGQSURJD9HHY6T50YRXYCTRDD6HQTSH7TP": [
        "https://api1.example.com/payment",
        "https://api2.example.com/payment",
    ],
    # Without a target the ecash is handed over by hand.
    "CREQB1QYQQC6TWTA3XZMNYTA6X2UM5QGQQSQQQQQQQQQQQVSPSQQGQQ5QPS6R5W3C8XW309AKKJMN59EJHSCTDWPKX2TNRDA"
    "KSWQQYQYQQZQQZ0MXTG": [],
}
# Its lock's data is no hash.
WRONG_LOCK = (
    "CREQB1QYQQJ6R5D3347AR9WD6QYQQGQQQQQQQQQQP7SQCQQYQQ2QQCDP68GURN8GHJ7MTFDE6ZUETCV9KHQMR99E3K7MGXQQ"
    "F5S4ZVGVSXCMMRDDJKGGRSV9UK6ETWWSYQPTGPQQQSZQSQGFS46VR9XCMRSV3SVFNXYDP3XGERZVNRVCMKZC3NV3JKYVP5X"
    "5UKXEFJ8QEXZVTZXQ6XVERPXUMX2CFKXQERVCFKXAJNGVTPV5ERVE3NV33SXQQ5PPKX7CMTW35K6EG2XYMNQVPSXQCRQVPS"
    "QVQY5PNJV4N82MNYGGCRXVEJ8QCKXVEHXCMNWETPXGMNXETZXUCNSVMZXUURXVPKXANR2V35XSUNXVM9VCMNSEPCVVEKVVF4"
    "VGCKZDEHVD3RYDPKXQUNJCEJXEJS4EHJHC"
)


@pytest.mark.parametrize("text", WRITTEN)
def test_official_vectors_both_ways(text: str) -> None:
    assert creqb.decode(text) == creqb.decode(text.lower()) == WRITTEN[text]
    assert creqb.encode(WRITTEN[text]) == text


@pytest.mark.parametrize("text", READ)
def test_official_vectors_with_transports(text: str) -> None:
    found = creqb.decode("cashu:" + text)
    assert [t.target for t in found.transports if t.kind == "post"] == READ[text]


@given(
    st.text(max_size=20),
    st.none() | st.integers(1, 2**40),
    st.sampled_from(["sat", "msat", "usd"]),
    st.lists(st.sampled_from([MINT, "http://b.example:3338"]), max_size=2),
    st.text(max_size=50),
    st.booleans(),
    st.sampled_from(
        [
            None,
            conditions.lock_to_keys([KEY], locktime=1_900_000_000),
            conditions.lock_to_hash("ab" * 32, [KEY]),
        ]
    ),
)
def test_what_is_written_is_read(
    name: str,
    amount: int | None,
    unit: str,
    mints: list[str],
    text: str,
    single: bool,
    lock: conditions.Lock | None,
) -> None:
    request = PaymentRequest(name, amount, unit, tuple(mints), text, single, (), lock)
    written = creqb.encode(request)
    assert creqb.is_one(written)
    assert creqb.decode(written) == request
    assert creqb.decode(written) == requests.decode(requests.encode(request))


def packed(data: bytes) -> str:
    return bech32.join("creqb", bech32.to_groups(data), bech32.BECH32M)


@pytest.mark.parametrize(
    "text",
    [
        *("", "creqb1", "CREQB1QQQ", COFFEE[:-1] + "P", COFFEE[:-9], "creqb1" + COFFEE[6:]),
        *("x" + COFFEE, COFFEE.replace("CREQB", "CREQC"), "CREQB1" + "Q" * 20_000, WRONG_LOCK),
        bech32.join("creqb", bech32.to_groups(b"\x01\x00\x01a"), bech32.BECH32),
        packed(b"\x01\x00"),
        packed(b"\x01\x00\x05abc"),
        packed(b"\x01\x00\x01a\x01\x00\x01b"),
        packed(b"\x02\x00\x01\x05"),
        packed(b"\x02\x00\x08" + bytes(8)),
        packed(b"\x02\x00\x08" + b"\xff" * 8),
        packed(b"\x01\x00\x01\xff"),
        packed(b"\x05\x00\x06file:/"),
        packed(b"\x04\x00\x02\x00\x01"),
        packed(b"\x07\x00\x00"),
        packed(b"\x08\x00\x04\x01\x00\x01\x07"),
        packed(b"\x05\x00\x0fhttps://a.exam/" * 65),
    ],
)
def test_wrong_ones(text: str) -> None:
    with pytest.raises(EcashError):
        creqb.decode(text)


def test_fields_that_are_not_known_are_skipped() -> None:
    assert creqb.decode(packed(b"\x09\x00\x01x\x77\x00\x00\x01\x00\x01a")).id == "a"


@given(st.binary(max_size=120))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    assert bech32.to_bytes(bech32.to_groups(data)) == data
    for text in (packed(data), "creqb1" + data.decode("latin-1")):
        try:
            creqb.decode(text)
        except EcashError:
            continue
