"""Supervised agents: drafts for a person to decide on."""
