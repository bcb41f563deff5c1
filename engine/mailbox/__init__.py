"""The packet plane: reply blocks, slots and mailboxes, so that an answer outlives a circuit.

Relay side: `slots` and `boxes` (sans-IO tables), `hold`, `passing`, `service`. Client side:
`client`, `pickup`. Ghost side: `sender`. Wire format and argument: docs/protocol.md, "Packets".
"""
