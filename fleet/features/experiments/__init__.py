"""Variants of posts, and what came of them."""
