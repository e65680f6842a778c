"""Create, edit, start, pause and stop agents; their decisions."""
