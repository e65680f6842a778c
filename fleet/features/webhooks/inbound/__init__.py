"""Incoming webhooks: sources, their signatures, received events."""
