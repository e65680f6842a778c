"""Health checks of accounts, and the breaker that stops an account whose checks fail."""
