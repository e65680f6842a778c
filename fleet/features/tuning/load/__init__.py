"""Measured load, read from the ledger and from the runs of stores."""
