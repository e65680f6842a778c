"""Floor 3: agents. Who they are, when they wake, what they decide, what holds them back.

Called by `fleet.engine`. `personas`, `schedule` and `decide` are pure; `commands`, `queries`, `loop` and `controls`
work inside the transactions that they are handed. Must never know the ledger or a surface's wire format.
"""
