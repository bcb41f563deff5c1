"""The local API: what other programs on this machine ask through, in the forms they know."""
