"""Campaigns: one message or some topics become posts for each network, reviewed, scheduled and published."""
