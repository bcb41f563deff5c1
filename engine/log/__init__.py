"""The node's log: every line is an event of a closed vocabulary. `say` is the only door.

`words` are the only types that a field may have, `events` and `events_client` the vocabulary,
`forms` how a line looks, `setup` where it goes and what becomes of what libraries say. Imports
nothing of ours but the settings' errors, so that every part of the engine may use it.
"""

from engine.log.saying import said, say

__all__ = ["said", "say"]
