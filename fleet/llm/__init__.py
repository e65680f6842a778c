"""Language models: who writes an agent's words. Knows no table, no agent row and no surface.

`provider` holds the protocol, one file each holds a provider. Called by the handlers of jobs while they prepare an
effect; the answer is saved in the job's checkpoint before anything is sent.
"""
