"""Pages of approvals: the review queue, and decisions about its requests."""
