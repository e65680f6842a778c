"""The gallery's data in its own database: accounts, posts, engagement, executions, controls and changes.

Called by the API and the pages. One module a subject; each function takes the connection of an open transaction, and
whoever opened it commits.
"""
