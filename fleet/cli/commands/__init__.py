"""The commands of the fleet as a whole: start, check, migrate, break. They may use every feature."""
