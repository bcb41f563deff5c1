"""Authenticated encrypted connections between neighbours."""
