"""Benchmarks. They run with all features."""

from fleet import app

app.load()
