"""Language models that write agents' texts. Knows no table, no agent row and no surface.

`provider` has the protocol, and one file each has a provider. Called by the handlers of jobs while they prepare an
effect; the text is saved in the job's checkpoint before anything is sent.
"""
