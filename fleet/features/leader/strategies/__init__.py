"""Strategies of platform agents: how the team leader changes them within bounds, and how people undo that."""
