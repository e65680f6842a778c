"""The loop and the ledger. It imports no feature: `registry` holds what features registered."""
