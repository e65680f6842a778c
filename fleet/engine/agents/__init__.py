"""Agents as rows: identity, schedule and status."""
