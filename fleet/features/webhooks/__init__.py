"""Floor 3: webhooks out and in, and how far each reader of events has come.

Called by `fleet.engine` inside its transactions. Keeps secrets sealed and never opens one; must never know what a
job is beside its id, nor call anybody but through `sending`, which goes to public addresses alone.
"""
