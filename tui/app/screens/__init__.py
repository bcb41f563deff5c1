"""Dialogs and full-screen helps. Imported when they are first opened."""
