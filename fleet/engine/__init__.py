"""Floor 4: where contexts meet. The loop (dispatch, tick, perform, sweep) and the verbs that doors call.

The only floor that opens transactions besides the doors, and the only one that sees agents and the ledger at once.
Must never hold a rule of its own: rules live in the rooms below.
"""
