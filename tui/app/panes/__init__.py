"""The panes. Each is imported and mounted when it is first shown."""
