"""Accounts at outside systems: credentials, limits, health, and the agents that act through them."""
