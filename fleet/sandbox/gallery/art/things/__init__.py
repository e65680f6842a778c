"""Things that pictures show, drawn alone."""
