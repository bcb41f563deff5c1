"""Peer2Prompt for programs and notebooks: an async client, what it shows, and the magics."""
