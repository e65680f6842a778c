"""Pictures from public addresses, fetched once and stored."""
