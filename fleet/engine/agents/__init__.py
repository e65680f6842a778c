"""Agents as rows: who they are, when they wake, what is done to them."""
