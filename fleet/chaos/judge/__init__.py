"""The verdict on a run: evidence of ledger, gallery and outsiders, the checker of invariants, the run's numbers."""
