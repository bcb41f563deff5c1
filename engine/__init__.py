"""The Peer2Prompt node: links, circuits, directory, market. No UI, no SQL."""
