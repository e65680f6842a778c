"""Limits of what people give an agent: the same in the form, the API and the commands. Imports nothing."""

LONGEST_NAME = 100
USERNAME = "[a-z0-9_]{3,30}"
LEAST_INTERVAL_S, MOST_INTERVAL_S = 1, 604_800
"""A longer gap is one that two weeks of many schedules do not spend."""
MOST_WEIGHT = 1_000_000
LONGEST_REFERENCE = 40
"""Characters of the name of a surface or of an account."""
