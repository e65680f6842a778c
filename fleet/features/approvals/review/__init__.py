"""The review queue: what waits for people, in one order, and how features show their requests in it."""
