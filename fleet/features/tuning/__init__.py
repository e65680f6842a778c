"""Tuning: changes of settings proposed from measured load, approved, undoable, and what came of them."""
