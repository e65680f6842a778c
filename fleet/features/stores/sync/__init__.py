"""The sync of a store: steps that read page by page, and what a page changes."""
