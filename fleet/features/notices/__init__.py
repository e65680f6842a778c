"""Messages to operators through FLEET_NOTIFY."""
