"""The command line. Talks to a node over its control socket only."""
