"""The checks of teams: the figures of networks, and what people have to know."""
