"""A comparison of a store: reading it page by page, and what differs."""
