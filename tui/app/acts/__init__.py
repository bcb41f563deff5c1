"""The acts of the screen, a table for each pane; `tui.app.actions` has them all."""
