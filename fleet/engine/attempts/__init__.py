"""Attempts at jobs: claim, prepare, reserve the write, send, record; and what follows from errors."""
