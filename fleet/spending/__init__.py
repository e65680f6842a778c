"""Floor 3: what the fleet pays for: every call to a model as a row, and budgets that stop it before they are exceeded.

Called by `fleet.features.costs.budget_guard` for the loop and by `fleet.features.costs.commands` for people. Must
never know what is written, or how an agent came to want it.
"""
