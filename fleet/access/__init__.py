"""Floor 3: who may come in and do what: users, sessions, API tokens, roles, and the audit log.

Called by the frame and the users feature inside their transactions, and by doors for the table of permissions. Must
never know what is done behind a permission, and keeps no password, session or token that could be read back.
"""

from fleet.access.audit import Actor, acting
from fleet.access.principal import Principal, Via
from fleet.access.roles import Permission, Role, allows, at_least

__all__ = ["Actor", "Permission", "Principal", "Role", "Via", "acting", "allows", "at_least"]
