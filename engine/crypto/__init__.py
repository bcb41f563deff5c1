"""Handshakes, onion layers, ratchets and key derivation: pure functions and small state objects.

Nothing in here does I/O or reads a clock, and nothing imports anything of ours but `engine.errors`.
The construction and its security argument are in docs/protocol.md.
"""
