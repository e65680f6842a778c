"""Kill switch and pauses."""
