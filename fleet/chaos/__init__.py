"""The fault harness: injects faults into a fleet of real processes, and checks the invariants afterwards.

`run.Chaos` is one run; `fleet chaos` calls it. Nothing of the engine imports from here.
"""
