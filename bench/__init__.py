"""Measurements run on demand; each program prints a table, or one JSON object with --json."""
