"""Quotes, meter, chunked payment, receipts."""
