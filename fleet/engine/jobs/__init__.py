"""Floor 3: the ledger. What is to be done, what was tried, how it ended; ticks, jobs, dead letters.

Called by `fleet.engine` alone. Must never know what a post or a persona is, nor open a transaction.
"""
