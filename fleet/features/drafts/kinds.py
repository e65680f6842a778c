"""Kinds of job of this feature, as they are registered in feature.py."""

SCAN_FEED, REVISE_DRAFT = "scan_feed", "revise_draft"
