"""Above runtime, below the doors: the fault harness, which breaks a fleet of real processes on purpose and checks.

`run.Chaos` is one run; `fleet chaos` calls it. Nothing of the engine imports from here.
"""
