"""Variants of posts, and their results."""
