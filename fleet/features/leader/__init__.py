"""The team leader: it coordinates the agents of platforms, compares networks, and can stop them at once."""
