"""Spending of the fleet: every call to a model as a row, and budgets that stop a call before they are exceeded.

Called by `fleet.features.costs.budget_guard` for the loop and by `fleet.features.costs.commands` for people. Knows
neither the texts of calls nor the reasons for them.
"""
