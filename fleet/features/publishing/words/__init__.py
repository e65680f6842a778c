"""The words of posts and comments: in whose voice, what was said before, and the review before they are published."""
