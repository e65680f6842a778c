"""Experiments at run time: verbs, their API and pages."""
