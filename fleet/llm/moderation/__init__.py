"""Moderators that are called over a network."""
