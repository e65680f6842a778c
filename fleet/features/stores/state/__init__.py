"""A store as syncs and writes see it: its context, its identities, and what both sides last agreed on."""
