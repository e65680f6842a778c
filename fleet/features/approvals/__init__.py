"""Approvals: what agents may do only after a person, or a rule, has allowed it; for any resource and any action."""
