"""The terminal interface: a headless model, a link to the node, and the app that paints it."""
