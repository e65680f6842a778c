"""Approval rules that people edit while the fleet runs: versions of the whole set, the last of which is in force."""
