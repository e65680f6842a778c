"""Scans of feeds: what is new, one question to the model, drafts."""
