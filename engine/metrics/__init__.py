"""Metrics for the operator, off unless asked for: few, rounded, and nobody's in particular."""
