"""A local test environment: embedded PostgreSQL and Valkey, the supervisor of a fleet's processes, and the gallery.

Called by `fleet up`, by tests and by containers that want a surface of their own. Imports fleet.core and
fleet.images alone: no code here uses agents.
"""
