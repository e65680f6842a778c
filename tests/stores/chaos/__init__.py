"""Faults for stores: real shops, a real fleet, people who edit both sides, and a check of all three catalogues.

Run `python -m tests.stores.chaos --minutes 30 --products 5000`; docs/reliability-stores.md has the results.
"""
