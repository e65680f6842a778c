"""Charts of the fleet over time."""
