"""Subscribers in code: entry points that receive events."""
