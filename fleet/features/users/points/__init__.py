"""What the feature registers at extension points of others."""
