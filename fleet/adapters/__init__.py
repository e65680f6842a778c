"""Outside systems, one folder each, and the gateway that every write passes. Knows no table."""
