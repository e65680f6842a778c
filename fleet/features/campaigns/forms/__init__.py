"""The form of a post on each network, and its preview. Pure."""
