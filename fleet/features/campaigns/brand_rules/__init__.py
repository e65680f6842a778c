"""The rules of brands: what they say, the score of a text under them, and their versions."""
