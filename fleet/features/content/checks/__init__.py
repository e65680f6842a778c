"""The checks of a text."""
