"""The local JSON-lines door for TUI, CLI and notebooks."""
