"""Limits of outside systems, counted over all processes."""
