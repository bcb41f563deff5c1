"""Widgets of the screen. Each draws from the model it is handed and posts messages upward."""
