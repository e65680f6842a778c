"""Approvals: requests that wait for a person or a rule, for any resource and any action."""
