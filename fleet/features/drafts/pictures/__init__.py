"""Pictures of drafts: of proposed posts, made before people decide, and of the posts that drafts answer."""
