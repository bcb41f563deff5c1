"""The serving side: ghost sessions and provider backends."""
