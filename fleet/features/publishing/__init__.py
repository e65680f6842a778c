"""Agents that post, comment, like and browse on a surface."""
