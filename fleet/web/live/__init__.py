"""The live stream: one reader of events for all open pages."""
