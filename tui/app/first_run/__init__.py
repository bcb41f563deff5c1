"""The guided start of a new home."""
