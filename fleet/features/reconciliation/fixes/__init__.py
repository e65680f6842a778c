"""Fixes of discrepancies: what they write, how they are undone, and who may decide about them."""
