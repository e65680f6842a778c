"""Word lists that read text without a model: what it is about, its topic, and whether it gives orders."""
