"""Users, sessions, tokens, invitations and the audit log."""
