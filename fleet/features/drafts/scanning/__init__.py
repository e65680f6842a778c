"""Scans of feeds: read new posts, ask the model once, open drafts."""
