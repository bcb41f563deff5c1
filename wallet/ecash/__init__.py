"""Cashu as mathematics and formats: blind signatures, DLEQ, keysets, secrets, tokens, amounts.

Pure: no I/O, no clock, no store, nothing of ours from above. Bytes and numbers in, bytes and
numbers out; anything malformed raises `EcashError`.
"""
