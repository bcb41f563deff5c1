"""The asking side: pinned sessions with a ghost."""
