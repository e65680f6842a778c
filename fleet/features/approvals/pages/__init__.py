"""Pages of approvals: the review queue, decisions about its requests, and the rules."""
