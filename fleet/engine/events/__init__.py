"""Events for readers: positions, and their words for people."""
