"""Lists of models: names in any document, and prices where a provider tells some of use."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import ProviderError
from engine.exit.backends.listing import Asked, read_listing, usd_text
from engine.settings_table import parse_usd

USUAL = {"prompt": "0.00000015", "completion": "0.0000006"}


def price_of(pricing: Any) -> Asked | None:
    return read_listing({"data": [{"id": "m", "pricing": pricing}]}).prices.get("m")


@pytest.mark.parametrize(
    ("pricing", "asked"),
    [
        (USUAL, Asked(150_000, 600_000, 150_000)),
        ({**USUAL, "request": "0", "image": "0.002"}, Asked(150_000, 600_000, 150_000)),
        ({**USUAL, "input_cache_read": "0.000000075"}, Asked(150_000, 600_000, 75_000)),
        ({**USUAL, "input_cache_read": "1"}, Asked(150_000, 600_000, 150_000)),
        ({**USUAL, "internal_reasoning": "0.000001"}, Asked(150_000, 1_000_000, 150_000)),
        ({"prompt": "0", "completion": "0"}, Asked(0, 0, 0)),
        ({"prompt": "1.2345678e-7", "completion": "1e-13"}, Asked(123_457, 1, 123_457)),
        ({**USUAL, "request": "0.01"}, None),
        ({**USUAL, "request": None}, None),
        ({"prompt": "-1", "completion": "-1"}, None),
        ({"prompt": "0.1"}, None),
        ({**USUAL, "prompt": "free"}, None),
        ({**USUAL, "prompt": "nan"}, None),
        ({**USUAL, "prompt": "1e999999"}, None),
        ({**USUAL, "prompt": 0.1}, None),
        ("0.1", None),
        (None, None),
    ],
)
def test_prices(pricing: Any, asked: Asked | None) -> None:
    assert price_of(pricing) == asked


def test_names_without_prices_and_what_is_no_model() -> None:
    found = {"data": [{"id": "a", "pricing": USUAL}, {"id": "b"}, {"id": 3}, "x", {}]}
    listing = read_listing(found)
    assert listing.names == ("a", "b")
    assert set(listing.prices) == {"a"}
    with pytest.raises(ProviderError):
        read_listing({"models": []})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda part: st.lists(part, max_size=3) | st.dictionaries(st.text(max_size=9), part),
    max_leaves=9,
)
PRICED = st.dictionaries(
    st.sampled_from(["prompt", "completion", "request", "input_cache_read", "internal_reasoning"]),
    st.text("0123456789.eE+-", max_size=40) | JSON,
)


@given(st.lists(st.fixed_dictionaries({"id": JSON, "pricing": PRICED | JSON}) | JSON, max_size=4))
def test_any_list_is_names_and_prices_that_settings_take(found: list[Any]) -> None:
    listing = read_listing({"data": found})
    assert set(listing.prices) <= set(listing.names)
    for asked in listing.prices.values():
        assert 0 <= asked.cached <= asked.tokens_in
        for part in (asked.tokens_in, asked.tokens_out, asked.cached):
            assert parse_usd(usd_text(part), "x") == part
