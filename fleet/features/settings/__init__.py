"""Settings and versions of a process."""
