"""What typed answers mean: whole numbers, dollars, prices. Each raises ValueError with words."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation


def whole(text: str) -> int:
    """A whole number, zero or more. Raises ValueError."""
    if not text.isdecimal():
        raise ValueError("Give a whole number.")
    return int(text)


def dollars(text: str) -> str:
    """An amount in dollars. Raises ValueError."""
    try:
        amount = Decimal(text.removeprefix("$"))
    except InvalidOperation:
        raise ValueError("Give an amount like 2.50.") from None
    if not amount.is_finite() or amount < 0:
        raise ValueError("Give an amount like 2.50.")
    return str(amount)


def read_costs(text: str) -> list[str]:
    """Two or three amounts in dollars; `none` for an own machine. Raises ValueError."""
    if text == "none":
        return []
    parts = [dollars(part) for part in text.replace(",", " ").split()]
    if len(parts) not in (2, 3):
        raise ValueError("Give the price of input, output and, if there is one, cached input.")
    return parts


def read_pair(text: str) -> list[int]:
    """Two whole numbers. Raises ValueError."""
    parts = [whole(part) for part in text.replace(",", " ").split()]
    if len(parts) != 2:
        raise ValueError("Give two whole numbers, of input and output.")
    return parts
