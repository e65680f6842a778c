"""Texts of posts and comments: voice, memory, and the review before they are published."""
