"""`fleet up`: a whole fleet in one terminal."""
