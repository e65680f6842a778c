"""Incoming webhooks: sources, their signatures, what was received."""
