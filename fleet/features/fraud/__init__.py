"""Scores of orders that may be fraud, with reasons: for people who decide about them. Nothing is cancelled here."""
