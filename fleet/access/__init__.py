"""Users, sessions, API tokens, roles, and the audit log.

Called by the frame and the users feature inside their transactions, and by entry points for the table of permissions.
Knows no action behind a permission, and stores no password, session or token that could be read back.
"""

from fleet.access.audit import Actor, acting
from fleet.access.principal import Principal, Via
from fleet.access.roles import Permission, Role, allows, at_least

__all__ = ["Actor", "Permission", "Principal", "Role", "Via", "acting", "allows", "at_least"]
