"""The effect of a variant: its size with an interval, and a strip that shows it."""
