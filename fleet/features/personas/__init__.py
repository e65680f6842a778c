"""Characters and schedules, read from files."""
