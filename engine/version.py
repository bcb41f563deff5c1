"""The version of the program: the only place where it is written (the build reads it here)."""

VERSION = "0.1.0"
