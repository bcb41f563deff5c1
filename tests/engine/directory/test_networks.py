"""Tables of networks: longest prefix, date and size, and a clear word about a broken file."""

from __future__ import annotations

import ipaddress
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.directory.networks import UNKNOWN, MmdbTable, Origin, TextTable, load_table
from engine.errors import ConfigError
from tests.helpers.mmdb import mmdb

HEADER = """\
; IP-ASN32-DAT file
; Original file : rib.20240501.0600.bz2
; Converted on  : Tue May 13 22:03:05 2025
; Prefixes-v4   : 3
;
"""
ROWS = "20.0.0.0/8\t100\n20.5.0.0/16\t200\n20.5.128.0/17\t300\n2001:db8::/32\t400\n"


def table(text: str, modified: float = 1.0) -> TextTable:
    return TextTable(text.splitlines(), "t.dat", modified)


@pytest.mark.parametrize(
    ("host", "asn"),
    [
        ("20.4.255.255", 100),
        ("20.5.0.0", 200),
        ("20.5.127.255", 200),
        ("20.5.128.0", 300),
        ("20.5.255.255", 300),
        ("20.6.0.0", 100),
        ("20.255.255.255", 100),
        ("21.0.0.0", None),
        ("19.255.255.255", None),
        ("255.255.255.255", None),
        ("2001:db8:ffff::1", 400),
        ("2001:db9::", None),
        ("::1", None),
    ],
)
def test_the_longest_prefix_counts(host: str, asn: int | None) -> None:
    assert table(ROWS).origin(host).asn == asn


@given(
    st.lists(
        st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 32), st.integers(1, 9)),
        min_size=1,
        max_size=30,
    ),
    st.lists(st.integers(0, 2**32 - 1), max_size=30),
)
@settings(deadline=None)
def test_lookups_agree_with_a_slow_search(
    rows: list[tuple[int, int, int]], asked: list[int]
) -> None:
    nets = {ipaddress.ip_network((value, size), strict=False): asn for value, size, asn in rows}
    made = table("".join(f"{net}\t{asn}\n" for net, asn in nets.items()))
    edges = [int(net.network_address) for net in nets] + [int(net[-1]) for net in nets]
    for value in [*asked, *edges]:
        host = ipaddress.IPv4Address(value)
        holding = [net for net in nets if host in net]
        best = max(holding, key=lambda net: net.prefixlen, default=None)
        expected = None if best is None else nets[best]
        assert made.origin(str(host)).asn == expected


def test_the_date_comes_from_the_header_else_from_the_file() -> None:
    assert time.localtime(table(HEADER + ROWS).facts.made)[:3] == (2025, 5, 13)
    only_rib = HEADER.replace("; Converted on  : Tue May 13 22:03:05 2025\n", "")
    assert time.localtime(table(only_rib + ROWS).facts.made)[:3] == (2024, 5, 1)
    assert table(ROWS, modified=7.0).facts.made == 7.0
    assert table(ROWS).facts.entries == 4


def test_a_third_column_is_the_country() -> None:
    made = table("20.0.0.0/8 AS100 de\n21.0.0.0/8 100\n")
    assert made.origin("20.1.1.1") == Origin(100, "DE")
    assert made.origin("21.1.1.1") == Origin(100, None)
    assert made.facts.countries
    assert not table(ROWS).facts.countries


@pytest.mark.parametrize(
    "line",
    [
        "20.0.0.0/8",
        "20.0.0.0/33\t1",
        "20.0.0.0\t1",
        "nowhere/8\t1",
        "20.0.0.0/8\t-1",
        "20.0.0.0/8\t4294967296",
        "20.0.0.0/8\tAS",
        "20.0.0.0/8\t1\tGermany",
        "20.0.0.0/8\t1\tDE\tx",
        "2001:db8::/129\t1",
    ],
)
def test_a_broken_line_is_named(line: str) -> None:
    with pytest.raises(ConfigError, match="Line 2"):
        table(f"20.0.0.0/8\t1\n{line}\n")


@given(st.text(max_size=200))
@settings(deadline=None)
def test_any_text_is_a_table_or_a_config_error(text: str) -> None:
    try:
        made = table(text)
    except ConfigError:
        return
    made.origin("20.0.0.1")


def test_an_empty_table_is_refused() -> None:
    with pytest.raises(ConfigError, match="holds no prefix"):
        table(HEADER)


def test_files(tmp_path: Path) -> None:
    good = tmp_path / "asn.dat"
    good.write_text(ROWS)
    assert load_table(good).facts.name == "asn.dat"
    for bad in (tmp_path / "missing.dat", tmp_path):
        with pytest.raises(ConfigError, match="cannot be read"):
            load_table(bad)
    (tmp_path / "x.dat").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_table(tmp_path / "x.dat")


def test_a_file_that_is_no_mmdb(tmp_path: Path) -> None:
    """With the optional package it is not a database, without it the package is named."""
    path = tmp_path / "x.mmdb"
    path.write_bytes(b"not a database")
    with pytest.raises(ConfigError, match=r"not a MaxMind database|maxminddb"):
        load_table(path)


def test_a_maxmind_database(tmp_path: Path) -> None:
    pytest.importorskip("maxminddb")
    path = tmp_path / "x.mmdb"
    records = {
        "20.0.0.0/8": {"asn": "AS64500", "country": "DE"},
        "21.7.0.0/16": {"autonomous_system_number": 64501},
    }
    path.write_bytes(mmdb(records, "test country_asn", 1_700_000_000))
    made = load_table(path)
    assert made.origin("20.200.0.1") == Origin(64500, "DE")
    assert made.origin("21.7.0.1") == Origin(64501)
    assert made.origin("21.8.0.1") == made.origin("2001:db8::1") == UNKNOWN
    assert made.facts.made == 1_700_000_000
    assert made.facts.countries


class Reader:
    """What maxminddb gives: records by address, and metadata."""

    build_epoch = 1_700_000_000
    node_count = 5
    database_type = "ipinfo country_asn"

    def __init__(self, record: Any) -> None:
        self.record = record

    def metadata(self) -> Reader:
        return self

    def get(self, _host: str) -> Any:
        if isinstance(self.record, Exception):
            raise self.record
        return self.record


@pytest.mark.parametrize(
    ("record", "origin"),
    [
        ({"autonomous_system_number": 15169}, Origin(15169)),
        ({"asn": "AS64500", "country": "DE"}, Origin(64500, "DE")),
        ({"country": {"iso_code": "fr"}}, Origin(None, "FR")),
        ({"asn": "", "country_code": "NL", "country": "Netherlands"}, Origin(None, "NL")),
        ({"country": "Netherlands"}, UNKNOWN),
        (None, UNKNOWN),
        ("text", UNKNOWN),
    ],
)
def test_records_of_several_vendors(record: Any, origin: Origin) -> None:
    made = MmdbTable(Reader(record), "x.mmdb")
    assert made.origin("20.0.0.1") == origin
    assert made.facts.made == 1_700_000_000
    assert made.facts.countries


def test_a_damaged_database_is_reported_not_passed_over() -> None:
    """Saying "unknown" would weaken the rules in silence."""
    with pytest.raises(ConfigError, match="is damaged"):
        MmdbTable(Reader(RuntimeError("bad pointer")), "x.mmdb").origin("20.0.0.1")
