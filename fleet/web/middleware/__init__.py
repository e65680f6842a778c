"""What every request passes: size, rate, headers, entity tags, idempotency."""
