"""Settings at run time: rows that stand above the environment, and the settings in force in a process (ADR 016)."""
