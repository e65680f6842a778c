"""The ledger for people: jobs, attempts and dead letters."""
