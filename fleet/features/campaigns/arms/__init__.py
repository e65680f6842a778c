"""A/B tests of a campaign's message: which account publishes which variant when, and what came of it."""
