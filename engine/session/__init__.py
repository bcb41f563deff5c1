"""The asking side: a session with one ghost over any number of circuits, paid as it goes."""
