"""Kademlia among the relays: ghosts by what they can do. DESIGN section 5, layer B."""
