"""Keys of models and surfaces, sealed."""
