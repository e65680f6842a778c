"""The adapter of the AT Protocol against its real network: PLC, PDS and AppView on loopback."""
