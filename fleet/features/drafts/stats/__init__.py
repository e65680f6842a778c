"""Statistics of drafts."""
