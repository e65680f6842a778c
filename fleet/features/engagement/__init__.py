"""The feature engagement: what came of published posts, and how accounts grow."""
