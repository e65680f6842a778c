"""Floor 2: who writes an agent's words. Knows no table, no agent row and no surface.

`base` holds the protocol, one file each holds a provider. Called by `fleet.engine.handlers` when a job is
prepared; what comes back is saved in the job's checkpoint before anything is sent.
"""
