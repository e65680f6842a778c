"""The fleet's secrets at rest: keys of models and surfaces, sealed in a table.

Called by `fleet.accounts.keys` for the loop and for people. Does not know the purpose of a secret, and returns it to
its caller alone: lists contain names and times.
"""
