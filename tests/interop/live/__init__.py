"""Foreign programs, unmodified, against a demo network of processes that they share."""
