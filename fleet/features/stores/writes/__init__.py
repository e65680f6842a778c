"""What is written to stores: one job for each write, through the gateway."""
