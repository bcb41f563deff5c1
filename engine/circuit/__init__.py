"""Circuits: building, streams, flow control, shaping; client side and relay side."""
