"""Webhooks out and in, and subscribers in code."""
