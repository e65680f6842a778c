"""Jobs of drafts: revise one, publish an approved one, hand over doubtful texts to people."""
