"""Organisations: brands or clients, each with its agents, accounts and members."""
