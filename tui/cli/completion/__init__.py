"""Completion scripts for shells, written from the parsers: one table, one writer for each shell.

The scripts are static: a press of Tab starts no process, asks no node and shows no conversation.
"""
