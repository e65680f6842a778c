"""How a model is asked about a feed, and how its answer is read."""
