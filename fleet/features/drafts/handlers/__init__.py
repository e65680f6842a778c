"""Jobs of drafts: revise one, publish an approved one, hand doubtful words to people."""
