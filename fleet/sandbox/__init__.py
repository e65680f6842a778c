"""The world in a box: embedded PostgreSQL and Valkey, the supervisor of a fleet's processes, and a gallery to post to.

Called by `fleet up`, by tests and by containers that want a surface of their own. Imports fleet.core and
fleet.images alone: nothing here may know what an agent is.
"""
