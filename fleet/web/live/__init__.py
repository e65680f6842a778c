"""The live stream: one reader of events for all pages that listen."""
