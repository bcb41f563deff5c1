"""A node as a service: what its supervisor is told, and what takes its place on an upgrade."""
