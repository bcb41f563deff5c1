"""Handshakes, onion layers, ratchets: pure functions and small state objects. No I/O."""
