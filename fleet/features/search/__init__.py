"""Search over agents, jobs, accounts, pages and actions."""
