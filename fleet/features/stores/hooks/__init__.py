"""Webhooks of shops: a shop says what changed, and it is read at once."""
