"""The private parts of libraries that Fleet relies on: one file a library, each with the incident that made it needed.

Tests in `tests/core/workarounds` fail when a library changes one of these parts. Nothing here imports `core.net`,
`core.queue` or `core.db`, which all build on it.
"""
