"""Floor 3: the fleet's secrets at rest: keys of models and surfaces, sealed in a table.

Called by `fleet.accounts.keys` for the loop and for people. Must never know what a secret is for, nor tell one to
anybody but its caller: what is listed are names and times.
"""
