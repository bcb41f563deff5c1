"""The control protocol, by topic: `frames` first, then `methods` and `events`."""
