"""Events for readers: positions, and descriptions for people."""
