"""Moderators that are asked over a network."""
