"""Floimg."""
