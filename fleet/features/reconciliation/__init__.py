"""Reconciliation: the catalogue, compared with what stores show."""
