"""The feature stores: shops that Fleet keeps in step with the catalogue."""
