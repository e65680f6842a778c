"""Child processes: start, supervise, restart, record and clean up. Linux only."""
