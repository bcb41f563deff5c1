"""Many nodes in one process on a virtual clock: the sans-IO cores that nodes run, and no others."""
