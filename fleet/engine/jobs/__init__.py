"""The ledger: jobs, attempts, retries, recovery, dead letters."""
